//! The types that read JSON by code of their own.

use serde_json::Value;

use super::{
    decode::Decoder,
    go::{Custom, Id},
    json::found,
    quantity, time,
};

// === impl Decoder ===

impl Decoder<'_> {
    pub(super) fn custom(&mut self, custom: Custom, of: Id) -> Result<Value, String> {
        let first = self.reader.peek();
        match custom {
            Custom::Time | Custom::MicroTime => {
                if first == b'n' {
                    self.reader.raw();
                    return Ok(Value::Null);
                }
                if first != b'"' {
                    return Err(self.type_error(found(first), "string"));
                }
                let text = self.reader.string();
                let time = if custom == Custom::Time {
                    time::seconds(&text)
                } else {
                    time::microseconds(&text)
                };
                Ok(time?.map_or(Value::Null, Value::String))
            }
            Custom::Quantity => {
                let raw = String::from_utf8_lossy(self.reader.raw());
                if raw == "null" {
                    return Ok(self.types.zero(of));
                }
                let text = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
                let quantity = quantity::canonical(text.unwrap_or(&raw).trim())?;
                Ok(Value::String(quantity))
            }
            Custom::IntOrString => match first {
                b'"' => Ok(Value::String(self.reader.string().into_owned())),
                b'n' => {
                    self.reader.raw();
                    Ok(self.types.zero(of))
                }
                b'-' | b'0'..=b'9' => {
                    let literal = self.reader.literal();
                    let refused = || self.type_error(&format!("number {literal}"), "int32");
                    Ok(Value::from(literal.parse::<i32>().map_err(|_| refused())?))
                }
                first => Err(self.type_error(found(first), "int32")),
            },
            Custom::Raw => self.leniently(Self::any),
            Custom::SchemaOrBool => match first {
                b'{' => self.inner_schema(),
                b't' | b'f' => Ok(Value::Bool(self.reader.literal() == "true")),
                _ => Err("boolean or JSON schema expected".to_owned()),
            },
            Custom::SchemaOrList | Custom::SchemaOrTexts => match first {
                b'{' => self.inner_schema(),
                b'[' => {
                    let all = if custom == Custom::SchemaOrList {
                        self.types.schema_type().unwrap_or_default()
                    } else {
                        self.types.text()
                    };
                    self.leniently(|decoder| decoder.list(all))
                }
                _ => {
                    self.reader.raw();
                    Ok(Value::Null)
                }
            },
        }
    }

    fn inner_schema(&mut self) -> Result<Value, String> {
        let schema = self.types.schema_type().unwrap_or_default();
        self.leniently(|decoder| decoder.value(schema, None))
    }

    /// Reads what Go reads on its own: unknown fields are not told, and a refusal ends the whole reading.
    fn leniently(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, String>,
    ) -> Result<Value, String> {
        let (strict, refused) = (self.strict.take(), self.refused.take());
        let value = read(self);
        let inner = self.refused.take();
        (self.strict, self.refused) = (strict, refused);
        match inner {
            Some(refused) => Err(refused),
            None => value,
        }
    }
}
