#!/usr/bin/env bash
# Makes a cluster a member of a fleet: writes the Secret that the provider `kubeconfig` looks for.
#
# In the member it creates a ServiceAccount with the rights that are asked for and no others, and a token for it; in the
# hub, a Secret with a kubeconfig of that token. Run it again before the token expires: its owner connects anew.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'USAGE'
Usage: kubeconfig-secret.sh --name NAME --rule RULE [--rule RULE]... [OPTION]...

  --name NAME               the member's name in the fleet: the name of the Secret
  --rule VERBS:RESOURCES    what the fleet may do there, as in
                              --rule get,list,watch:configmaps
                              --rule get,patch:deployments.apps,deployments.apps/status
                            (all of it besides what the cluster grants every account)

The member:
  --member-context NAME     kubectl's context of it; the current one by default
  --member-kubeconfig FILE  kubectl's own kubeconfig for it
  --in-namespace NAMESPACE  the rules hold in this namespace alone (a Role); everywhere by default (a ClusterRole)
  --account NAMESPACE/NAME  the ServiceAccount; kube-system/multicluster by default
  --duration DURATION       how long the token is valid, as in 24h; 720h by default. The member may allow less.
  --revoke                  make the account anew, which ends all tokens that it had
  --server URL              how the hub reaches the member, if other than kubectl here

The hub:
  --apply                   write the Secret; without it, the Secret is printed, with the token in it
  --hub-context NAME        kubectl's context of it; the current one by default
  --hub-kubeconfig FILE     kubectl's own kubeconfig for it
  --hub-namespace NAMESPACE where the fleet looks for Secrets; default by default
  --label KEY=VALUE         a label of the member, which controllers can select by; may be repeated
USAGE
}

die() {
  printf 'kubeconfig-secret.sh: %s\n' "$1" >&2
  exit 1
}

# fits WHAT VALUE CHARACTERS: everything that goes into YAML below is checked, so nothing needs quotes there.
fits() {
  case $2 in
    '' | *[!$3]*) die "$1 cannot be \"$2\"" ;;
  esac
}

name='' account='kube-system/multicluster' only_in='' duration='720h' server='' hub_namespace='default'
revoke=false apply=false
rules=() labels=() member=() hub=()

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --revoke) revoke=true ;;
    --apply) apply=true ;;
    --name | --rule | --member-context | --member-kubeconfig | --in-namespace | --account | --duration | --server | \
      --hub-context | --hub-kubeconfig | --hub-namespace | --label)
      [ $# -ge 2 ] || die "$1 needs a value"
      case $1 in
        --name) name=$2 ;;
        --rule) rules+=("$2") ;;
        --member-context) member+=(--context "$2") ;;
        --member-kubeconfig) member+=(--kubeconfig "$2") ;;
        --in-namespace) only_in=$2 ;;
        --account) account=$2 ;;
        --duration) duration=$2 ;;
        --server) server=$2 ;;
        --hub-context) hub+=(--context "$2") ;;
        --hub-kubeconfig) hub+=(--kubeconfig "$2") ;;
        --hub-namespace) hub_namespace=$2 ;;
        --label) labels+=("$2") ;;
      esac
      shift
      ;;
    *) die "unknown argument \"$1\"; see --help" ;;
  esac
  shift
done

names='a-z0-9.-'
[ -n "$name" ] || die 'give the member a --name; see --help'
[ ${#rules[@]} -gt 0 ] || die 'say what the fleet may do there with --rule; see --help'
fits --name "$name" "$names"
fits --hub-namespace "$hub_namespace" "$names"
case $account in
  */*) ;;
  *) die '--account is NAMESPACE/NAME' ;;
esac
account_namespace=${account%%/*} account_name=${account#*/}
fits --account "$account_namespace" "$names"
fits --account "$account_name" "$names"
[ -z "$only_in" ] || fits --in-namespace "$only_in" "$names"
fits --duration "$duration" 'a-z0-9.'
for label in "${labels[@]+"${labels[@]}"}"; do
  case $label in
    *=*) ;;
    *) die "--label is KEY=VALUE, not \"$label\"" ;;
  esac
  fits --label "${label%%=*}" 'A-Za-z0-9._/-'
  [ -z "${label#*=}" ] || fits --label "${label#*=}" 'A-Za-z0-9._-'
done

in_member() {
  kubectl "${member[@]+"${member[@]}"}" "$@"
}

in_hub() {
  kubectl "${hub[@]+"${hub[@]}"}" "$@"
}

# "a,b" as the list ["a", "b"]
list() {
  printf '["%s"]' "${1//,/\", \"}"
}

# The rules in YAML: one for each resource, since a rule is about one group.
print_rules() {
  local rule verbs resource group part resources
  for rule in "${rules[@]}"; do
    case $rule in
      *:*) ;;
      *) die "--rule is VERBS:RESOURCES, not \"$rule\"" ;;
    esac
    verbs=${rule%%:*}
    fits --rule "$verbs" 'a-z,*'
    IFS=, read -r -a resources <<<"${rule#*:}"
    for resource in "${resources[@]}"; do
      fits --rule "$resource" 'a-z0-9./*-'
      part=''
      case $resource in
        */*) part=/${resource#*/} resource=${resource%%/*} ;;
      esac
      group=''
      case $resource in
        *.*) group=${resource#*.} resource=${resource%%.*} ;;
      esac
      printf '  - apiGroups: ["%s"]\n    resources: ["%s%s"]\n    verbs: %s\n' "$group" "$resource" "$part" "$(list "$verbs")"
    done
  done
}

# print_rights KIND: a Role or ClusterRole with the rules, and its binding. Each account has its own.
print_rights() {
  local namespace=''
  [ "$1" = ClusterRole ] || namespace="  namespace: $only_in"
  cat <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: $1
metadata:
  name: $account_namespace-$account_name
$namespace
rules:
$written_rules
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ${1}Binding
metadata:
  name: $account_namespace-$account_name
$namespace
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: $1
  name: $account_namespace-$account_name
subjects:
  - kind: ServiceAccount
    name: $account_name
    namespace: $account_namespace
YAML
}

# cluster FIELD: what kubectl knows of the member.
cluster() {
  in_member config view --minify --flatten --raw -o "jsonpath={.clusters[0].cluster.$1}"
}

print_kubeconfig() {
  cat <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: $name
    cluster:
      server: $server
YAML
  [ -z "$authority" ] || printf '      certificate-authority-data: %s\n' "$authority"
  [ -z "$server_name" ] || printf '      tls-server-name: %s\n' "$server_name"
  cat <<YAML
users:
  - name: $account_name
    user:
      token: $token
contexts:
  - name: $name
    context:
      cluster: $name
      user: $account_name
current-context: $name
YAML
}

print_secret() {
  local label
  cat <<YAML
apiVersion: v1
kind: Secret
metadata:
  name: $name
  namespace: $hub_namespace
  labels:
    sigs.k8s.io/multicluster-runtime-kubeconfig: "true"
YAML
  for label in "${labels[@]+"${labels[@]}"}"; do
    printf '    %s: "%s"\n' "${label%%=*}" "${label#*=}"
  done
  # Not stringData, which server-side apply does not handle well.
  printf 'type: Opaque\ndata:\n  kubeconfig: %s\n' "$(print_kubeconfig | base64 | tr -d '\n')"
}

written_rules=$(print_rules)
trusting=$(cluster insecure-skip-tls-verify)
if [ "$trusting" = true ]; then
  die 'kubectl trusts any server there (insecure-skip-tls-verify), which the fleet does not do: give it the certificate authority'
fi
[ -n "$server" ] || server=$(cluster server)
fits --server "$server" ']A-Za-z0-9:/._~%[-'
authority=$(cluster certificate-authority-data)
server_name=$(cluster tls-server-name)

if [ "$revoke" = true ]; then
  in_member delete serviceaccount "$account_name" --namespace "$account_namespace" --ignore-not-found >&2
fi
in_member apply -f - >&2 <<YAML
apiVersion: v1
kind: ServiceAccount
metadata:
  name: $account_name
  namespace: $account_namespace
automountServiceAccountToken: false
YAML
if [ -n "$only_in" ]; then
  print_rights Role | in_member apply -f - >&2
else
  print_rights ClusterRole | in_member apply -f - >&2
fi
token=$(in_member create token "$account_name" --namespace "$account_namespace" --duration "$duration")

if [ "$apply" = true ]; then
  # On the server: the other way of `apply` would leave a copy of the token in an annotation.
  print_secret | in_hub apply --server-side --force-conflicts --field-manager kubeconfig-secret -f - >&2
else
  print_secret
fi
