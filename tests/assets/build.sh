#!/usr/bin/env bash
# Builds the control plane of the tests: see README.md.
set -euo pipefail

usage='usage: build.sh [--with kube-controller-manager] [FOLDER]'

say() { printf 'build.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(awk '{ sub(/^require /, "") } $1 == "k8s.io/kubernetes" { print $2 }' "$here/kubernetes/go.mod")
[[ $version =~ ^v([0-9]+)\.([0-9]+)\. ]] || die "no version of k8s.io/kubernetes in kubernetes/go.mod"
major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}

binaries='etcd kube-apiserver kubectl'
folder=
while (($#)); do
	case $1 in
	-h | --help) say "$usage"; exit 0 ;;
	--with)
		[[ ${2-} == kube-controller-manager ]] || die "$usage"
		binaries="$binaries $2"
		shift
		;;
	-*) die "$usage" ;;
	*)
		[[ -z $folder && -n $1 ]] || die "$usage"
		folder=$1
		;;
	esac
	shift
done
if [[ -z $folder ]]; then
	folder=${XDG_CACHE_HOME:-${HOME:?build.sh needs HOME or a FOLDER}/.cache}/multicluster/control-plane/$version
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# One at a time. Without flock (macOS) two runs build the same twice, which
# wastes time and harms nothing: a binary appears under its name when complete.
if command -v flock >/dev/null; then
	exec 9>"$folder/.lock"
	flock -n 9 || { say "waiting for another build into $folder"; flock 9; }
fi

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# What the binaries of a module are made of, as a hash.
sources() { cat "$here/build.sh" "$here/$1"/* | sha256 | cut -d' ' -f1; }

ldflags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	ldflags+=" -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
done

started=$SECONDS
built=
for binary in $binaries; do
	case $binary in
	etcd) module=etcd package=. ;;
	*) module=kubernetes package=k8s.io/kubernetes/cmd/$binary ;;
	esac
	stamp=$folder/.$binary.stamp
	want=$(sources "$module")
	if [[ -x $folder/$binary && -f $stamp && $(<"$stamp") == "$want" ]]; then
		continue
	fi
	command -v go >/dev/null || die "go is missing: install Go, or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl"
	say "building $binary into $folder"
	since=$SECONDS
	part=$folder/.$binary.$$
	trap 'rm -f "$part"' EXIT
	# The lock (9) is closed for go: a helper process of go may outlive it.
	(
		cd "$here/$module"
		CGO_ENABLED=0 GOWORK=off go build -mod=readonly -buildvcs=false -trimpath \
			-ldflags "$ldflags" -o "$part" "$package"
	) 9>&- >&2
	rm -f "$stamp"
	mv -f "$part" "$folder/$binary"
	printf '%s\n' "$want" >"$stamp"
	built+=" $binary"
	say "built $binary in $((SECONDS - since)) s"
done
[[ -z $built ]] || say "built$built in $((SECONDS - started)) s"
printf '%s\n' "$folder"
