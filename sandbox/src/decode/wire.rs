//! The encoding of protobuf: fields with numbers, refused in the words of the Go code that Kubernetes generates.

const END: &str = "unexpected EOF";

/// The fields of a message, in the order in which they were written.
pub(super) struct Fields<'a> {
    /// The message, as refusals name it.
    name: &'a str,
    rest: &'a [u8],
}

/// A field: its number, and its value as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) wire: Wire,
    code: u64,
    value: u64,
    bytes: &'a [u8],
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Varint,
    Fixed64,
    Bytes,
    /// Kubernetes uses no other.
    Other,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(super) fn new(name: &'a str, bytes: &'a [u8]) -> Self {
        Self { name, rest: bytes }
    }

    fn read(&mut self) -> Result<Field<'a>, String> {
        let tag = varint(&mut self.rest)?;
        let (number, code, name) = (tag >> 3, tag & 7, self.name);
        if code == 4 {
            return Err(format!("proto: {name}: wiretype end group for non-group"));
        }
        // Go has 32 bits and a sign for it.
        let signed = i32::try_from(number).unwrap_or_default();
        if signed <= 0 {
            return Err(format!(
                "proto: {name}: illegal tag {signed} (wire type {code})"
            ));
        }
        let mut field = Field {
            number,
            wire: Wire::Other,
            code,
            value: 0,
            bytes: &[],
        };
        match code {
            0 => {
                field.wire = Wire::Varint;
                field.value = varint(&mut self.rest)?;
            }
            1 => {
                field.wire = Wire::Fixed64;
                let bytes = take(&mut self.rest, 8)?;
                field.value = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            }
            2 => {
                field.wire = Wire::Bytes;
                let length = varint(&mut self.rest)?;
                if length > i64::MAX.unsigned_abs() {
                    return Err("proto: negative length found during unmarshaling".to_owned());
                }
                field.bytes = take(&mut self.rest, length)?;
            }
            5 => {
                take(&mut self.rest, 4)?;
            }
            // What is in a group, or in what there is not, cannot be told: the field itself is refused if it is known.
            _ => self.rest = &[],
        }
        Ok(field)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

// === impl Field ===

impl<'a> Field<'a> {
    pub(super) fn bytes(&self, name: &str) -> Result<&'a [u8], String> {
        self.check(Wire::Bytes, name)?;
        Ok(self.bytes)
    }

    pub(super) fn number_as(&self, name: &str) -> Result<u64, String> {
        self.check(Wire::Varint, name)?;
        Ok(self.value)
    }

    pub(super) fn fixed(&self, name: &str) -> Result<u64, String> {
        self.check(Wire::Fixed64, name)?;
        Ok(self.value)
    }

    /// Whether a field that nobody knows can be passed over.
    pub(super) fn skip(&self) -> Result<(), String> {
        match self.code {
            0..6 => Ok(()),
            code => Err(format!("proto: illegal wireType {code}")),
        }
    }

    fn check(&self, wire: Wire, name: &str) -> Result<(), String> {
        if self.wire == wire {
            return Ok(());
        }
        let code = self.code;
        Err(format!("proto: wrong wireType = {code} for field {name}"))
    }
}

/// A number of up to 64 bits.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first().ok_or(END)?;
        *rest = left;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("proto: integer overflow".to_owned())
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], String> {
    let length = usize::try_from(length).map_err(|_| END)?;
    let (bytes, left) = rest.split_at_checked(length).ok_or(END)?;
    *rest = left;
    Ok(bytes)
}
