// Writes what the sandbox knows about the types of Kubernetes: see sandbox/openapi/README.md.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"

	crd "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/validation/spec"
	definitions "k8s.io/kubernetes/pkg/generated/openapi"
)

// The documents to read, and the kinds to take from each; kinds with a "List" are taken with it.
var documents = map[schema.GroupVersion][]string{
	{Version: "v1"}: {
		"Binding", "ConfigMap", "Event", "Namespace", "Node", "PersistentVolumeClaim", "Pod", "Secret", "Service",
		"ServiceAccount",
	},
	{Group: "apiextensions.k8s.io", Version: "v1"}:  {"CustomResourceDefinition"},
	{Group: "apps", Version: "v1"}:                  {"ControllerRevision", "Deployment", "ReplicaSet", "StatefulSet"},
	{Group: "authentication.k8s.io", Version: "v1"}: {"SelfSubjectReview", "TokenRequest", "TokenReview"},
	{Group: "authorization.k8s.io", Version: "v1"}: {
		"LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview",
	},
	{Group: "autoscaling", Version: "v1"}:         {"Scale"},
	{Group: "coordination.k8s.io", Version: "v1"}: {"Lease"},
	{Group: "events.k8s.io", Version: "v1"}:       {"Event"},
	{Group: "policy", Version: "v1"}:              {"Eviction", "PodDisruptionBudget"},
	{Group: "rbac.authorization.k8s.io", Version: "v1"}: {
		"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
	},
}

// What every group uses.
var common = []any{
	meta.DeleteOptions{}, meta.Status{}, meta.WatchEvent{}, meta.Patch{}, meta.APIResourceList{},
	meta.APIGroup{}, meta.APIGroupList{}, meta.APIVersions{},
}

// A Go type that has a name: how it is written as JSON and as protobuf.
type goType struct {
	// The name of its schema, if it has one.
	Schema string `json:"schema,omitempty"`
	// Set for types that read and write JSON by code of their own.
	Custom bool `json:"custom,omitempty"`
	// Set for lists that are messages of their own in protobuf.
	Message bool `json:"message,omitempty"`
	// What it is made of, unless it is a struct.
	Of     string  `json:"of,omitempty"`
	Fields []field `json:"fields,omitempty"`
}

type field struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// The name in Go, where it is not the same with a capital letter.
	Go string `json:"go,omitempty"`
	// Whether the fields of the struct count as fields of the one that has it.
	Inline bool `json:"inline,omitempty"`
	// When the field is left out: `empty`, `zero`, or never.
	Omit string `json:"omit,omitempty"`
	// The number in protobuf.
	Number int `json:"number,omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: main.go FOLDER")
	}
	known := runtime.NewScheme()
	check(scheme.AddToScheme(known))
	check(crd.AddToScheme(known))

	types := map[string]goType{}
	for _, value := range common {
		describe(reflect.TypeOf(value), types)
	}
	for version, kinds := range documents {
		for _, kind := range kinds {
			for _, name := range []string{kind, kind + "List"} {
				if known.Recognizes(version.WithKind(name)) {
					value, err := known.New(version.WithKind(name))
					check(err)
					describe(reflect.TypeOf(value).Elem(), types)
				}
			}
		}
	}
	write("types.json", types)
	write("schemas.json", schemas(types))
	write("kinds.json", registered(known))
}

// Every kind by its group and version, for the refusals that tell known kinds from others.
func registered(known *runtime.Scheme) map[string][]string {
	all := map[string][]string{}
	for kind := range known.AllKnownTypes() {
		if kind.Version != runtime.APIVersionInternal {
			version := kind.GroupVersion().String()
			all[version] = append(all[version], kind.Kind)
		}
	}
	for _, kinds := range all {
		sort.Strings(kinds)
	}
	return all
}

// The component schemas of the types and all that they refer to, with the values of enumerations, which the server
// publishes and the source tree leaves out.
func schemas(types map[string]goType) map[string]json.RawMessage {
	folder, err := exec.Command("go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").Output()
	check(err)
	folder = bytes.TrimSpace(folder)
	published := map[string]json.RawMessage{}
	for version := range documents {
		name := "apis__" + version.Group + "__" + version.Version
		if version.Group == "" {
			name = "api__" + version.Version
		}
		text, err := os.ReadFile(filepath.Join(string(folder), "api/openapi-spec/v3", name+"_openapi.json"))
		check(err)
		var document struct {
			Components struct{ Schemas map[string]json.RawMessage }
		}
		check(json.Unmarshal(text, &document))
		for name, schema := range document.Components.Schemas {
			// Each group lists itself in the kinds of what all groups share: the longest list is that of the core group.
			if len(schema) > len(published[name]) {
				published[name] = schema
			}
		}
	}
	taken := map[string]json.RawMessage{}
	var take func(name string)
	take = func(name string) {
		schema, found := published[name]
		if _, again := taken[name]; again || !found {
			return
		}
		taken[name] = schema
		for _, part := range strings.Split(string(schema), "#/components/schemas/")[1:] {
			take(part[:strings.IndexByte(part, '"')])
		}
	}
	for _, described := range types {
		take(described.Schema)
	}
	for name, definition := range definitions.GetOpenAPIDefinitions(func(name string) spec.Ref {
		return spec.MustCreateRef(name)
	}) {
		if schema, found := taken[name]; found {
			taken[name] = enumerate(schema, definition.Schema)
		}
	}
	return taken
}

// Adds the values that fields can have to a schema.
func enumerate(schema json.RawMessage, definition spec.Schema) json.RawMessage {
	var published map[string]any
	check(json.Unmarshal(schema, &published))
	properties, _ := published["properties"].(map[string]any)
	for name, property := range definition.Properties {
		field, ok := properties[name].(map[string]any)
		if !ok {
			continue
		}
		if len(property.Enum) > 0 {
			field["enum"] = property.Enum
		}
		items, ok := field["items"].(map[string]any)
		if ok && property.Items != nil && property.Items.Schema != nil && len(property.Items.Schema.Enum) > 0 {
			items["enum"] = property.Items.Schema.Enum
		}
	}
	text, err := json.Marshal(published)
	check(err)
	return text
}

// Adds a type, and those of its fields, and says how it is written.
func describe(t reflect.Type, types map[string]goType) string {
	switch {
	case t.Name() != "" && t.PkgPath() != "":
		name := t.PkgPath() + "." + t.Name()
		if _, known := types[name]; !known {
			types[name] = goType{}
			types[name] = named(t, types)
		}
		return name
	case t.Kind() == reflect.Pointer:
		return "*" + describe(t.Elem(), types)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "[]uint8"
	case t.Kind() == reflect.Slice:
		return "[]" + describe(t.Elem(), types)
	case t.Kind() == reflect.Map:
		return "map[" + describe(t.Key(), types) + "]" + describe(t.Elem(), types)
	default:
		return t.String()
	}
}

func named(t reflect.Type, types map[string]goType) goType {
	var described goType
	pointer := reflect.New(t).Interface()
	if named, ok := pointer.(interface{ OpenAPIModelName() string }); ok {
		described.Schema = named.OpenAPIModelName()
	}
	_, described.Custom = pointer.(json.Unmarshaler)
	_, message := pointer.(interface{ Unmarshal([]byte) error })
	switch t.Kind() {
	case reflect.Struct:
		described.Fields = fields(t, types)
	case reflect.Slice:
		described.Of = "[]" + describe(t.Elem(), types)
		described.Message = message
	case reflect.Map:
		described.Of = "map[" + describe(t.Key(), types) + "]" + describe(t.Elem(), types)
	default:
		described.Of = t.Kind().String()
	}
	return described
}

func fields(t reflect.Type, types map[string]goType) []field {
	var all []field
	for index := range t.NumField() {
		member := t.Field(index)
		if !member.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(member.Tag.Get("json"), ",")
		if name == "-" && member.Tag.Get("protobuf") == "" {
			continue
		}
		entry := field{Name: name}
		if member.Type.Kind() == reflect.Interface {
			continue
		}
		if name == "" || name == "-" {
			entry.Name, entry.Inline = member.Name, member.Anonymous
		}
		for _, option := range strings.Split(options, ",") {
			switch option {
			case "omitzero":
				entry.Omit = "zero"
			case "omitempty":
				if entry.Omit == "" {
					entry.Omit = "empty"
				}
			}
		}
		if parts := strings.Split(member.Tag.Get("protobuf"), ","); len(parts) > 1 {
			number, err := strconv.Atoi(parts[1])
			check(err)
			entry.Number = number
		}
		if entry.Number > 0 && member.Name != strings.ToUpper(entry.Name[:1])+entry.Name[1:] {
			entry.Go = member.Name
		}
		entry.Type = describe(member.Type, types)
		all = append(all, entry)
	}
	return all
}

// One entry a line, in the order of their names.
func write[V any](name string, entries map[string]V) {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	sort.Strings(names)
	var text bytes.Buffer
	for index, name := range names {
		value, err := json.Marshal(entries[name])
		check(err)
		separator := ",\n"
		if index == 0 {
			separator = "{\n"
		}
		fmt.Fprintf(&text, "%s%q:", separator, name)
		text.Write(value)
	}
	text.WriteString("\n}\n")
	check(os.WriteFile(filepath.Join(os.Args[1], name), text.Bytes(), 0o644))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
