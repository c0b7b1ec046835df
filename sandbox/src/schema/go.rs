//! The Go types of Kubernetes: what its schemas do not say about how objects are read and written.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::{Map, Value};

/// See `openapi/README.md` for where the file is from.
static KUBERNETES: LazyLock<GoTypes> = LazyLock::new(|| {
    let text = include_str!("../../openapi/types.json");
    // A test reads the file back.
    GoTypes::new(&serde_json::from_str(text).unwrap_or_default())
});

/// The field that means another thing when it is empty than when it is missing.
pub(super) const OWNERS: &str = "managedFields";

/// Types that refer to each other.
#[derive(Debug, Default)]
pub(crate) struct GoTypes {
    types: Vec<GoType>,
    by_expression: HashMap<String, Id>,
    /// The types of named schemas.
    by_schema: HashMap<String, Id>,
}

/// The place of a type among all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Id(usize);

/// A type, and what refusals call it: `[]v1.Container`.
#[derive(Debug, Default)]
pub(crate) struct GoType {
    pub display: String,
    pub form: Form,
}

/// How values of a type are read and written.
#[derive(Debug, Default)]
pub(crate) enum Form {
    #[default]
    Bool,
    Int32,
    Int64,
    Float,
    Text,
    /// Base64.
    Bytes,
    Pointer(Id),
    List {
        items: Id,
        /// Whether protobuf has it as a message with one field.
        message: bool,
    },
    Map(Id),
    Struct(Struct),
    Custom(Custom),
}

/// Types that read and write JSON by code of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Custom {
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// JSON of any type, kept as it is.
    Raw,
    /// In a schema: another schema, or one of the other forms that JSON schema allows.
    SchemaOrBool,
    SchemaOrList,
    SchemaOrTexts,
}

#[derive(Debug, Default)]
pub(crate) struct Struct {
    /// All fields, with those of inlined structs, in the order of their names.
    pub fields: Vec<Field>,
    /// The fields as protobuf has them.
    pub messages: Vec<Message>,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub name: String,
    /// The inlined structs that it is in; refusals name them.
    pub inside: Vec<String>,
    pub of: Id,
    pub omit: Omit,
}

/// A field of a protobuf message.
#[derive(Debug)]
pub(crate) struct Message {
    pub number: u64,
    pub name: String,
    /// Its name in Go, for refusals.
    pub go_name: String,
    pub of: Id,
    pub inline: bool,
}

/// When a field is left out of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Omit {
    Never,
    /// When it is empty, which a struct never is.
    Empty,
    Zero,
}

// === impl GoTypes ===

impl GoTypes {
    /// Those of the built-in kinds.
    pub(crate) fn kubernetes() -> &'static Self {
        &KUBERNETES
    }

    fn new(described: &Map<String, Value>) -> Self {
        let mut types = Self::default();
        for (name, entry) in described {
            let id = types.intern(name, described);
            if let Some(schema) = entry["schema"].as_str() {
                types.by_schema.insert(schema.to_owned(), id);
            }
        }
        types
    }

    /// The type of a named schema, like `io.k8s.api.core.v1.Pod`.
    pub(crate) fn of_schema(&self, name: &str) -> Option<Id> {
        self.by_schema.get(name).copied()
    }

    /// The type of plain text.
    pub(crate) fn text(&self) -> Id {
        self.by_expression
            .get("string")
            .copied()
            .unwrap_or_default()
    }

    /// The type of a schema in a definition of custom resources.
    pub(crate) fn schema_type(&self) -> Option<Id> {
        self.of_schema("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
    }

    pub(crate) fn get(&self, id: Id) -> &GoType {
        // Ids are handed out here alone.
        &self.types[id.0]
    }

    /// What a type is without pointers around it.
    pub(crate) fn pointee(&self, id: Id) -> Id {
        match self.get(id).form {
            Form::Pointer(inner) => self.pointee(inner),
            _ => id,
        }
    }

    /// The type of an expression like `[]k8s.io/api/core/v1.Container`.
    fn intern(&mut self, expression: &str, described: &Map<String, Value>) -> Id {
        if let Some(id) = self.by_expression.get(expression) {
            return *id;
        }
        // Types contain themselves: the place is taken before the type is known.
        let id = Id(self.types.len());
        self.types.push(GoType::default());
        self.by_expression.insert(expression.to_owned(), id);
        let form = self.form(expression, described);
        self.types[id.0] = GoType {
            display: display(expression),
            form,
        };
        id
    }

    fn form(&mut self, expression: &str, described: &Map<String, Value>) -> Form {
        if let Some(inner) = expression.strip_prefix('*') {
            return Form::Pointer(self.intern(inner, described));
        }
        if let Some(inner) = expression.strip_prefix("[]").filter(|it| *it != "uint8") {
            return Form::List {
                items: self.intern(inner, described),
                message: false,
            };
        }
        if let Some((_, values)) = map(expression) {
            return Form::Map(self.intern(values, described));
        }
        match expression {
            "bool" => return Form::Bool,
            "int32" => return Form::Int32,
            "int" | "int64" => return Form::Int64,
            "float64" => return Form::Float,
            "string" => return Form::Text,
            "[]uint8" => return Form::Bytes,
            _ => {}
        }
        let entry = described.get(expression).unwrap_or(&Value::Null);
        if let Some(custom) = custom(expression) {
            return Form::Custom(custom);
        }
        let of = entry["of"].as_str();
        match of.map(|of| self.form(of, described)) {
            Some(Form::List { items, .. }) => Form::List {
                items,
                message: entry["message"] == true,
            },
            Some(form) => form,
            None => Form::Struct(self.structure(entry, described)),
        }
    }

    fn structure(&mut self, entry: &Value, described: &Map<String, Value>) -> Struct {
        let mut all = Struct::default();
        for field in entry["fields"].as_array().into_iter().flatten() {
            let text = |key: &str| field[key].as_str().unwrap_or_default();
            let (name, of) = (text("name"), self.intern(text("type"), described));
            let inline = field["inline"] == true;
            if inline {
                let inner = described.get(text("type")).unwrap_or(&Value::Null);
                for mut field in self.structure(inner, described).fields {
                    field.inside.insert(0, name.to_owned());
                    all.fields.push(field);
                }
            } else {
                let omit = match text("omit") {
                    "zero" => Omit::Zero,
                    "empty" => Omit::Empty,
                    _ => Omit::Never,
                };
                all.fields.push(Field {
                    name: name.to_owned(),
                    inside: Vec::new(),
                    of,
                    omit,
                });
            }
            if let Some(number) = field["number"].as_u64() {
                all.messages.push(Message {
                    number,
                    name: name.to_owned(),
                    go_name: match text("go") {
                        "" => capitalized(name),
                        go => go.to_owned(),
                    },
                    of,
                    inline,
                });
            }
        }
        all.fields.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Whether a field with this value is left out.
    pub(crate) fn omits(&self, field: &Field, value: &Value) -> bool {
        let form = &self.get(field.of).form;
        match (field.omit, form) {
            (Omit::Never, _) => false,
            // An empty list gives the fields up; none says nothing about them.
            _ if field.name == OWNERS => value.is_null(),
            (_, Form::Pointer(_)) | (Omit::Zero, Form::Custom(_)) => value.is_null(),
            (_, Form::Custom(_)) | (Omit::Empty, Form::Struct(_)) => false,
            (Omit::Zero, Form::Struct(_)) => *value == self.zero(field.of),
            _ => is_empty(value),
        }
    }

    /// Brings an object whose fields have been renamed into the form in which Go writes it.
    pub(crate) fn tidy(&self, of: Id, object: &mut Value) {
        let (Form::Struct(all), Some(fields)) = (&self.get(of).form, object.as_object_mut()) else {
            return;
        };
        fields.retain(|name, value| {
            let field = all.field(name);
            field.is_some_and(|(_, field)| !self.omits(field, value))
        });
        *fields = self.finish(all, std::mem::take(fields));
    }

    /// What Go starts with.
    pub(crate) fn zero(&self, id: Id) -> Value {
        match &self.get(id).form {
            Form::Bool => Value::Bool(false),
            Form::Int32 | Form::Int64 | Form::Float | Form::Custom(Custom::IntOrString) => {
                Value::from(0)
            }
            Form::Text => Value::from(""),
            Form::Custom(Custom::Quantity) => Value::from("0"),
            Form::Struct(all) => Value::Object(self.finish(all, Map::new())),
            Form::Bytes | Form::Pointer(_) | Form::List { .. } | Form::Map(_) | Form::Custom(_) => {
                Value::Null
            }
        }
    }

    /// Adds the fields that are written even if nobody has set them.
    pub(crate) fn finish(
        &self,
        all: &Struct,
        mut fields: Map<String, Value>,
    ) -> Map<String, Value> {
        for field in &all.fields {
            let optional = field.omit == Omit::Empty
                && !matches!(self.get(field.of).form, Form::Struct(_) | Form::Custom(_));
            if optional || fields.contains_key(&field.name) {
                continue;
            }
            let zero = self.zero(field.of);
            if !self.omits(field, &zero) {
                fields.insert(field.name.clone(), zero);
            }
        }
        fields
    }
}

// === impl GoType ===

impl GoType {
    /// The name alone, without its package.
    pub(crate) fn short_name(&self) -> &str {
        self.display.rsplit('.').next().unwrap_or_default()
    }
}

// === impl Struct ===

impl Struct {
    pub(crate) fn field(&self, name: &str) -> Option<(usize, &Field)> {
        let place = self
            .fields
            .binary_search_by(|field| field.name.as_str().cmp(name))
            .ok()?;
        Some((place, self.fields.get(place)?))
    }
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// What Go calls empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

fn custom(name: &str) -> Option<Custom> {
    let (package, name) = name.rsplit_once('.')?;
    Some(match (package.rsplit('/').next()?, name) {
        ("v1", "Time") => Custom::Time,
        ("v1", "MicroTime") => Custom::MicroTime,
        ("resource", "Quantity") => Custom::Quantity,
        ("intstr", "IntOrString") => Custom::IntOrString,
        ("runtime", "RawExtension") | ("v1", "FieldsV1" | "JSON") => Custom::Raw,
        ("v1", "JSONSchemaPropsOrBool") => Custom::SchemaOrBool,
        ("v1", "JSONSchemaPropsOrArray") => Custom::SchemaOrList,
        ("v1", "JSONSchemaPropsOrStringArray") => Custom::SchemaOrTexts,
        _ => return None,
    })
}

/// The keys and values of a map type.
fn map(expression: &str) -> Option<(&str, &str)> {
    expression.strip_prefix("map[")?.split_once(']')
}

fn display(expression: &str) -> String {
    if let Some(inner) = expression.strip_prefix('*') {
        return format!("*{}", display(inner));
    }
    if let Some(inner) = expression.strip_prefix("[]") {
        return format!("[]{}", display(inner));
    }
    if let Some((keys, values)) = map(expression) {
        return format!("map[{}]{}", display(keys), display(values));
    }
    let name = expression.rsplit('/').next();
    name.unwrap_or_default().to_owned()
}
