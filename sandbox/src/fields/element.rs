//! One step of a path.

use std::{cmp::Ordering, fmt};

use serde_json::{Map, Value};

/// One step from a struct, map or list to what is in it.
#[derive(Clone, Debug)]
pub(crate) enum Element {
    /// A field of a struct or a key of a map.
    Field(String),
    /// The item of a list whose fields have these values, in the order of their names.
    Key(Vec<(String, Value)>),
    /// The item of a list that is this text or number.
    Value(Value),
    /// The item at a place of a list.
    Index(i64),
}

// === impl Element ===

impl Element {
    pub(crate) fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    /// Reads the form that `managedFields` has; `None` for what a later version may know.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        let Some((kind, rest)) = text.split_at_checked(2) else {
            return Err("key must be 2 characters long:".to_owned());
        };
        let json = || serde_json::from_str::<Value>(rest).map_err(|error| error.to_string());
        match kind {
            "f:" => Ok(Some(Self::Field(rest.to_owned()))),
            "v:" => Ok(Some(Self::Value(json()?))),
            "i:" => match rest.parse() {
                Ok(place) => Ok(Some(Self::Index(place))),
                Err(_) => Err(format!("strconv.Atoi: parsing {rest:?}: invalid syntax")),
            },
            "k:" => match json()? {
                Value::Object(fields) => Ok(Some(Self::Key(fields.into_iter().collect()))),
                _ => Err("a key is an object".to_owned()),
            },
            _ if kind.ends_with(':') => Ok(None),
            _ => Err(format!("missing colon: {text}")),
        }
    }

    /// The form that `managedFields` has.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(place) => format!("i:{place}"),
            Self::Key(fields) => {
                let fields: Map<_, _> = fields.iter().cloned().collect();
                format!("k:{}", Value::Object(fields))
            }
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl Ord for Element {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(one), Self::Field(two)) => one.cmp(two),
            (Self::Index(one), Self::Index(two)) => one.cmp(two),
            (Self::Value(one), Self::Value(two)) => order(one, two),
            (Self::Key(one), Self::Key(two)) => {
                let pairs = one.iter().zip(two).map(|(one, two)| {
                    let names = one.0.cmp(&two.0);
                    names.then_with(|| order(&one.1, &two.1))
                });
                let mut different = pairs.filter(|order| order.is_ne());
                different.next().unwrap_or(one.len().cmp(&two.len()))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Element {}

/// The form that messages have: `.spec`, `[name="x"]`, `[="x"]`, `[0]`.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(place) => write!(f, "[{place}]"),
            Self::Key(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                write!(f, "[{}]", fields.join(","))
            }
        }
    }
}

/// Orders numbers before texts before flags before the rest.
fn order(one: &Value, two: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    };
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => match (one.as_i64(), two.as_i64()) {
            (Some(one), Some(two)) => one.cmp(&two),
            _ => one
                .as_f64()
                .unwrap_or_default()
                .total_cmp(&two.as_f64().unwrap_or_default()),
        },
        (Value::String(one), Value::String(two)) => one.cmp(two),
        (Value::Bool(one), Value::Bool(two)) => one.cmp(two),
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
            one.to_string().cmp(&two.to_string())
        }
        _ => rank(one).cmp(&rank(two)),
    }
}
