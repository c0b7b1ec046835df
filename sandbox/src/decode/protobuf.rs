//! Bodies in protobuf, which become JSON by the numbers of the fields.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Expected,
    body::Failure,
    names::Named,
    wire::{Field, Fields, Wire},
};
use crate::schema::{Custom, Form, GoTypes, Id, Message, Struct, json as text};

/// What a body starts with.
const PREFIX: &[u8] = b"k8s\0";

/// How deep messages may nest.
const DEPTH: usize = 100;

/// The object in an envelope that says what it is.
pub(super) fn read(expected: Expected<'_>, body: &[u8]) -> Result<Value, Failure> {
    let unrecognized = |why: &str| Failure::Unrecognized(why.to_owned());
    if body.is_empty() {
        return Err(unrecognized("empty data"));
    }
    let Some(envelope) = body.strip_prefix(PREFIX) else {
        let why = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
        return Err(unrecognized(why));
    };
    if envelope.is_empty() {
        return Err(unrecognized("empty body"));
    }
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Fields::new("Unknown", envelope) {
        let field = field.map_err(Failure::Unrecognized)?;
        match field.number {
            1 => {
                let meta = field.bytes("TypeMeta").map_err(Failure::Unrecognized)?;
                for field in Fields::new("TypeMeta", meta) {
                    let field = field.map_err(Failure::Unrecognized)?;
                    let text = field.bytes("APIVersion").map_err(Failure::Unrecognized)?;
                    match field.number {
                        1 => version = lossy(text),
                        2 => kind = lossy(text),
                        _ => {}
                    }
                }
            }
            2 => raw = field.bytes("Raw").map_err(Failure::Unrecognized)?,
            _ => {}
        }
    }
    let named = Named::new(&version, &kind, expected).map_err(Failure::Unrecognized)?;
    let unreadable = |why| Failure::Unreadable(named.clone(), why);
    named.check(expected).map_err(unreadable)?;
    let types = GoTypes::kubernetes();
    match types.of_schema(expected.type_name) {
        Some(of) => message(types, of, raw, Value::Null, DEPTH).map_err(unreadable),
        None => Err(unreadable(
            "protobuf is not supported for custom resources".to_owned(),
        )),
    }
}

/// A message of a type, read into what has been read of it before.
fn message(
    types: &GoTypes,
    of: Id,
    bytes: &[u8],
    old: Value,
    depth: usize,
) -> Result<Value, String> {
    let depth = depth.checked_sub(1).ok_or("proto: exceeded max depth")?;
    let go = types.get(of);
    match &go.form {
        Form::Pointer(inner) => message(types, *inner, bytes, old, depth),
        Form::Struct(all) => structure(types, all, go.short_name(), bytes, old, depth),
        Form::List { items, .. } => {
            let mut list = Vec::new();
            for field in Fields::new(go.short_name(), bytes) {
                let field = field?;
                if field.number == 1 {
                    list.push(value(types, *items, &field, "Items", Value::Null, depth)?);
                }
            }
            Ok(Value::Array(list))
        }
        Form::Custom(custom) => self::custom(types, *custom, bytes, depth),
        _ => Ok(Value::Null),
    }
}

fn structure(
    types: &GoTypes,
    all: &Struct,
    name: &str,
    bytes: &[u8],
    old: Value,
    depth: usize,
) -> Result<Value, String> {
    let mut fields = match old {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    for field in Fields::new(name, bytes) {
        let field = field?;
        let Some(declared) = all.messages.iter().find(|it| it.number == field.number) else {
            field.skip()?;
            continue;
        };
        let Message { of, go_name, .. } = declared;
        let of = types.pointee(*of);
        if declared.inline {
            let inner = message(types, of, field.bytes(go_name)?, Value::Null, depth)?;
            if let Value::Object(inner) = inner {
                fields.extend(inner);
            }
            continue;
        }
        let before = fields.remove(&declared.name).unwrap_or_default();
        let after = match &types.get(of).form {
            Form::List {
                items,
                message: false,
            } => {
                let mut list = match before {
                    Value::Array(list) => list,
                    _ => Vec::new(),
                };
                if field.wire == Wire::Bytes && is_number(types, *items) {
                    list.extend(packed(field.bytes(go_name)?)?);
                } else {
                    list.push(value(types, *items, &field, go_name, Value::Null, depth)?);
                }
                Value::Array(list)
            }
            Form::Map(values) => {
                let mut map = match before {
                    Value::Object(map) => map,
                    _ => Map::new(),
                };
                let (key, value) = entry(types, *values, field.bytes(go_name)?, depth)?;
                map.insert(key, value);
                Value::Object(map)
            }
            _ => value(types, of, &field, go_name, before, depth)?,
        };
        fields.insert(declared.name.clone(), after);
    }
    Ok(Value::Object(fields))
}

fn value(
    types: &GoTypes,
    of: Id,
    field: &Field<'_>,
    name: &str,
    old: Value,
    depth: usize,
) -> Result<Value, String> {
    Ok(match &types.get(types.pointee(of)).form {
        Form::Bool => Value::Bool(field.number_as(name)? != 0),
        // The upper half of a number that is too large is lost.
        #[allow(clippy::cast_possible_truncation)]
        Form::Int32 => Value::from(field.number_as(name)?.cast_signed() as i32),
        Form::Int64 => Value::from(field.number_as(name)?.cast_signed()),
        Form::Float => {
            let number = serde_json::Number::from_f64(f64::from_bits(field.fixed(name)?));
            number.map_or(Value::Null, Value::Number)
        }
        Form::Text => Value::String(lossy(field.bytes(name)?)),
        Form::Bytes => Value::String(BASE64_STANDARD.encode(field.bytes(name)?)),
        _ => message(types, types.pointee(of), field.bytes(name)?, old, depth)?,
    })
}

fn entry(
    types: &GoTypes,
    values: Id,
    bytes: &[u8],
    depth: usize,
) -> Result<(String, Value), String> {
    let (mut key, mut found) = (String::new(), types.zero(values));
    for field in Fields::new("Entry", bytes) {
        let field = field?;
        match field.number {
            1 => key = lossy(field.bytes("Key")?),
            2 => found = value(types, values, &field, "Value", Value::Null, depth)?,
            _ => {}
        }
    }
    Ok((key, found))
}

fn is_number(types: &GoTypes, of: Id) -> bool {
    matches!(types.get(of).form, Form::Int32 | Form::Int64 | Form::Bool)
}

/// Numbers without tags between them.
fn packed(mut bytes: &[u8]) -> Result<Vec<Value>, String> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        let number = super::wire::varint(&mut bytes)?;
        numbers.push(Value::from(number.cast_signed()));
    }
    Ok(numbers)
}

/// A type that protobuf has in a form of its own.
fn custom(types: &GoTypes, custom: Custom, bytes: &[u8], depth: usize) -> Result<Value, String> {
    let mut fields: BTreeMap<u64, Vec<Field<'_>>> = BTreeMap::new();
    for field in Fields::new("", bytes) {
        let field = field?;
        fields.entry(field.number).or_default().push(field);
    }
    let last = |number: u64| fields.get(&number).and_then(|all| all.last());
    let number = |place: u64| last(place).map_or(Ok(0), |field| field.number_as("Number"));
    let raw = |place: u64| last(place).map(|field| field.bytes("Raw")).transpose();
    let schema = |field: &Field<'_>| {
        let of = types.schema_type();
        of.map_or(Ok(Value::Null), |of| {
            message(types, of, field.bytes("Schema")?, Value::Null, depth)
        })
    };
    let all = |number: u64| fields.get(&number).map(Vec::as_slice).unwrap_or_default();
    Ok(match custom {
        Custom::Time | Custom::MicroTime if bytes.is_empty() => Value::Null,
        Custom::Time | Custom::MicroTime => {
            let nanos = i32::try_from(number(2)?).unwrap_or_default();
            let nanos = if custom == Custom::Time { 0 } else { nanos };
            let time = Timestamp::new(number(1)?.cast_signed(), nanos).unwrap_or_default();
            let form = if custom == Custom::Time {
                "%Y-%m-%dT%H:%M:%SZ"
            } else {
                "%Y-%m-%dT%H:%M:%S.%6fZ"
            };
            Value::String(time.strftime(form).to_string())
        }
        Custom::Quantity => Value::String(raw(1)?.map_or_else(|| "0".to_owned(), lossy)),
        #[allow(clippy::cast_possible_truncation)]
        Custom::IntOrString => match number(1)? {
            0 => json!(number(2)?.cast_signed() as i32),
            _ => Value::String(raw(3)?.map(lossy).unwrap_or_default()),
        },
        Custom::Raw => match raw(1)? {
            Some(raw) if text::check(raw).is_ok() => super::any(raw)?.0,
            _ => Value::Null,
        },
        Custom::SchemaOrBool => match last(2) {
            Some(field) => schema(field)?,
            None => Value::Bool(number(1)? != 0),
        },
        Custom::SchemaOrList | Custom::SchemaOrTexts if all(2).is_empty() => {
            last(1).map_or(Ok(Value::Null), schema)?
        }
        Custom::SchemaOrList => all(2).iter().map(schema).collect::<Result<_, _>>()?,
        Custom::SchemaOrTexts => {
            let texts = all(2).iter();
            let texts = texts.map(|field| Ok(Value::String(lossy(field.bytes("Property")?))));
            texts.collect::<Result<_, String>>()?
        }
    })
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
