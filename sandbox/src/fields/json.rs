//! Sets as `managedFields` has them: an object for each element, `.` for a member that has more below it.

use serde_json::{Map, Value, json};

use super::{Element, Set, set::Node};

// === impl Set ===

impl Set {
    /// The `fieldsV1` of a set.
    pub(crate) fn to_json(&self) -> Value {
        let nodes = self.nodes.iter().map(|(element, node)| {
            let mut below = node.below.to_json();
            if node.member && !node.below.is_empty() {
                below["."] = json!({});
            }
            (element.text(), below)
        });
        Value::Object(nodes.collect())
    }

    /// Reads a `fieldsV1`; what a later version may know is left out.
    pub(crate) fn from_json(value: &Value) -> Result<Self, String> {
        let mut set = Self::default();
        match value {
            Value::Null => Ok(set),
            Value::Object(fields) => {
                set.read(fields)?;
                Ok(set)
            }
            _ => Err("fieldsV1 is an object".to_owned()),
        }
    }

    fn read(&mut self, fields: &Map<String, Value>) -> Result<(), String> {
        for (key, value) in fields.iter().filter(|(key, _)| *key != ".") {
            let Some(element) = Element::parse(key)? else {
                continue;
            };
            let mut node = Node::default();
            if let Value::Object(inner) = value {
                node.below.read(inner)?;
                node.member = inner.contains_key(".");
            }
            node.member |= node.below.is_empty();
            self.nodes.insert(element, node);
        }
        Ok(())
    }
}
