//! From JSON text to a value of a Go type, with the refusals of Go.
//!
//! A type that does not fit is noted and the rest is read on, as Go does it; the first such note refuses the text. What a
//! type with code of its own refuses ends the reading at once, and counts before any note.

use std::{borrow::Cow, collections::HashSet};

use ::base64::Engine;
use serde_json::{Map, Number, Value};

use super::{
    base64,
    go::{Form, GoTypes, Id, OWNERS, Struct},
    json::found,
    reader::Reader,
    strict::{Step, Strict},
};

/// How deep a value may nest.
const DEPTH: usize = 128;

/// Reads one JSON text.
pub(crate) struct Decoder<'a> {
    pub(super) types: &'a GoTypes,
    pub(super) reader: Reader<'a>,
    depth: usize,
    /// The struct that is read, and the names of the fields that led to it and on.
    owner: &'a str,
    stack: Vec<&'a str>,
    pub(super) refused: Option<String>,
    pub(super) strict: Option<Strict<'a>>,
}

// === impl Decoder ===

impl<'a> Decoder<'a> {
    /// Reads a text that [`super::json::check`] has accepted.
    pub(crate) fn new(types: &'a GoTypes, text: &'a [u8], strict: bool) -> Self {
        Self {
            types,
            reader: Reader::new(text),
            depth: 0,
            owner: "",
            stack: Vec::new(),
            refused: None,
            strict: strict.then(Strict::default),
        }
    }

    /// The value, with every field that Go writes and without those that it leaves out, and the unknown and doubled
    /// fields in the order in which they were found.
    pub(crate) fn decode(mut self, of: Id) -> Result<(Value, Vec<String>), String> {
        let value = self.value(of, None)?;
        self.finish(value)
    }

    /// The value of no known type.
    pub(crate) fn decode_any(mut self) -> Result<(Value, Vec<String>), String> {
        let value = self.any()?;
        self.finish(value)
    }

    fn finish(self, value: Value) -> Result<(Value, Vec<String>), String> {
        match self.refused {
            Some(refused) => Err(refused),
            None => Ok((value, self.strict.unwrap_or_default().problems)),
        }
    }

    /// Reads the next value; a doubled field is read into what is there.
    pub(super) fn value(&mut self, of: Id, old: Option<Value>) -> Result<Value, String> {
        let first = self.reader.peek();
        let form = &self.types.get(of).form;
        match form {
            Form::Pointer(_) if first == b'n' => {
                self.reader.raw();
                return Ok(Value::Null);
            }
            Form::Pointer(inner) => return self.value(*inner, old.filter(|old| !old.is_null())),
            Form::Custom(custom) => return self.custom(*custom, of),
            _ => {}
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        let value = match (first, form) {
            (b'{', Form::Struct(all)) => self.structure(of, all, old)?,
            (b'{', Form::Map(values)) => self.map(*values, old)?,
            (b'[', Form::List { items, .. }) => self.list(*items)?,
            (b'[', Form::Bytes) => self.list_of_bytes(),
            (b'"', Form::Text) => Value::String(self.reader.string().into_owned()),
            (b'"', Form::Bytes) => self.bytes(),
            (b't' | b'f', Form::Bool) => Value::Bool(self.reader.literal() == "true"),
            (b'n', Form::Map(_) | Form::List { .. } | Form::Bytes) => {
                self.reader.raw();
                Value::Null
            }
            (b'n', _) => {
                self.reader.raw();
                old.unwrap_or_else(|| self.types.zero(of))
            }
            (b'-' | b'0'..=b'9', Form::Int32 | Form::Int64 | Form::Float) => self.number(of, form),
            _ => {
                self.mismatch(found(first), &self.types.get(of).display);
                self.reader.raw();
                self.types.zero(of)
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    fn structure(&mut self, of: Id, all: &'a Struct, old: Option<Value>) -> Result<Value, String> {
        let mut fields = match old {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let mut seen = Vec::new();
        let (owner, depth) = (self.owner, self.stack.len());
        self.reader.open();
        while let Some(key) = self.reader.key() {
            let Some((place, field)) = all.field(&key) else {
                self.problem("unknown field", &key);
                self.reader.raw();
                continue;
            };
            if self.strict.is_some() {
                if seen.contains(&place) {
                    self.problem("duplicate field", &key);
                }
                seen.push(place);
            }
            self.owner = self.types.get(of).short_name();
            self.stack.extend(field.inside.iter().map(String::as_str));
            self.stack.push(&field.name);
            self.enter(|| Step::Key(Cow::Borrowed(&field.name)));
            let value = self.value(field.of, fields.remove(&field.name))?;
            self.leave();
            self.stack.truncate(depth);
            self.owner = owner;
            if !self.types.omits(field, &value) {
                // What is empty and stays is nothing at all once it has been stored.
                let nothing = match &value {
                    Value::Array(items) => items.is_empty() && field.name != OWNERS,
                    Value::Object(inner) => inner.is_empty() && self.is_map(field.of),
                    _ => false,
                };
                let value = if nothing { Value::Null } else { value };
                fields.insert(field.name.clone(), value);
            }
        }
        Ok(Value::Object(self.types.finish(all, fields)))
    }

    fn is_map(&self, of: Id) -> bool {
        matches!(self.types.get(of).form, Form::Map(_))
    }

    fn map(&mut self, values: Id, old: Option<Value>) -> Result<Value, String> {
        let mut fields = match old {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let mut seen = HashSet::new();
        let bytes = matches!(self.types.get(values).form, Form::Bytes);
        self.reader.open();
        while let Some(key) = self.reader.key() {
            if self.strict.is_some() && !seen.insert(key.clone()) {
                self.problem("duplicate field", &key);
            }
            self.enter(|| Step::Key(key.clone()));
            let value = match self.value(values, None)? {
                Value::Null if bytes => Value::from(""),
                value => value,
            };
            self.leave();
            fields.insert(key.into_owned(), value);
        }
        Ok(Value::Object(fields))
    }

    pub(super) fn list(&mut self, of: Id) -> Result<Value, String> {
        let mut items = Vec::new();
        self.reader.open();
        while self.reader.item() {
            self.enter(|| Step::Index(items.len()));
            let item = self.value(of, None)?;
            items.push(item);
            self.leave();
        }
        Ok(Value::Array(items))
    }

    fn number(&mut self, of: Id, form: &Form) -> Value {
        let literal = self.reader.literal();
        let number = match form {
            Form::Int32 => literal.parse::<i32>().ok().map(Number::from),
            Form::Int64 => literal.parse::<i64>().ok().map(Number::from),
            _ => float(literal),
        };
        match number {
            Some(number) => Value::Number(number),
            None => {
                let display = &self.types.get(of).display;
                self.mismatch(&format!("number {literal}"), display);
                self.types.zero(of)
            }
        }
    }

    fn bytes(&mut self) -> Value {
        match base64::canonical(&self.reader.string()) {
            Ok(text) => Value::String(text),
            Err(why) => {
                self.refused.get_or_insert(why);
                Value::Null
            }
        }
    }

    /// Bytes may be written as a list of numbers, too.
    fn list_of_bytes(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.reader.open();
        while self.reader.item() {
            let first = self.reader.peek();
            let literal = self.reader.raw();
            let literal = std::str::from_utf8(literal).unwrap_or_default();
            match (first, literal.parse::<u8>()) {
                (_, Ok(byte)) => bytes.push(byte),
                (b'n', _) => bytes.push(0),
                (b'-' | b'0'..=b'9', _) => self.mismatch(&format!("number {literal}"), "uint8"),
                (first, _) => self.mismatch(found(first), "uint8"),
            }
        }
        Value::String(::base64::prelude::BASE64_STANDARD.encode(bytes))
    }

    /// The next value, of whatever type.
    pub(super) fn any(&mut self) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        let value = match self.reader.peek() {
            b'{' => {
                let mut fields = Map::new();
                self.reader.open();
                while let Some(key) = self.reader.key() {
                    if fields.contains_key(&*key) {
                        self.problem("duplicate field", &key);
                    }
                    self.enter(|| Step::Key(key.clone()));
                    let value = self.any()?;
                    self.leave();
                    fields.insert(key.into_owned(), value);
                }
                Value::Object(fields)
            }
            b'[' => {
                let mut items = Vec::new();
                self.reader.open();
                while self.reader.item() {
                    self.enter(|| Step::Index(items.len()));
                    let item = self.any()?;
                    items.push(item);
                    self.leave();
                }
                Value::Array(items)
            }
            b'"' => Value::String(self.reader.string().into_owned()),
            b't' | b'f' => Value::Bool(self.reader.literal() == "true"),
            b'n' => {
                self.reader.raw();
                Value::Null
            }
            _ => self.any_number()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    /// An integer where the number is written as one and fits.
    fn any_number(&mut self) -> Result<Value, String> {
        let literal = self.reader.literal();
        if let Ok(integer) = literal.parse::<i64>() {
            return Ok(Value::from(integer));
        }
        let refused = || self.type_error(&format!("number {literal}"), "float64");
        Ok(Value::Number(float(literal).ok_or_else(refused)?))
    }

    /// Notes that something was found that does not fit.
    fn mismatch(&mut self, found: &str, display: &str) {
        if self.refused.is_none() {
            self.refused = Some(self.type_error(found, display));
        }
    }

    pub(super) fn type_error(&self, found: &str, display: &str) -> String {
        let place = self.stack.join(".");
        if place.is_empty() {
            return format!("json: cannot unmarshal {found} into Go value of type {display}");
        }
        let owner = self.owner;
        format!(
            "json: cannot unmarshal {found} into Go struct field {owner}.{place} of type {display}"
        )
    }

    fn enter(&mut self, step: impl FnOnce() -> Step<'a>) {
        if let Some(strict) = &mut self.strict {
            strict.path.push(step());
        }
    }

    fn leave(&mut self) {
        if let Some(strict) = &mut self.strict {
            strict.path.pop();
        }
    }

    fn problem(&mut self, what: &str, key: &str) {
        if let Some(strict) = &mut self.strict {
            strict.add(what, key);
        }
    }
}

/// A number with a fraction; a whole one is written without it, as Go does.
fn float(literal: &str) -> Option<Number> {
    /// Up to here every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number: f64 = literal.parse().ok()?;
    let whole = number.fract() == 0.0 && number.abs() < EXACT;
    match format!("{number:.0}").parse::<i64>() {
        Ok(integer) if whole => Some(Number::from(integer)),
        _ => Number::from_f64(number),
    }
}
