//! Times as people write them: `15s`, `1500ms`, `1m 30s`.

use std::{fmt, time::Duration};

use jiff::SignedDuration;
use serde::{Deserializer, Serializer, de};

/// A year: a later end cannot be told from none, and must not overflow a clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reads a time.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_str(Visitor)
}

/// Writes a time.
pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&text(*time))
}

/// The same for times that may be left out.
pub(crate) mod optional {
    use super::{Deserializer, Duration, Serializer, Visitor, text};

    /// Reads a time, or nothing.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        from.deserialize_option(super::Optional(Visitor))
    }

    /// Writes a time, or nothing.
    pub(crate) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_some(&text(*time)),
            None => to.serialize_none(),
        }
    }
}

/// The text that is read as `time` again.
fn text(time: Duration) -> String {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    format!("{time:#}")
}

fn parse<E: de::Error>(text: &str) -> Result<Duration, E> {
    let wrong = || E::custom(format!("{text:?} is no time: write it like 15s or 1500ms"));
    let time: SignedDuration = text.parse().map_err(|_| wrong())?;
    let time = Duration::try_from(time).map_err(|_| wrong())?;
    if time > LONGEST {
        return Err(E::custom(format!(
            "{text:?} is too long: write at most 8760h"
        )));
    }
    Ok(time)
}

struct Visitor;

struct Optional(Visitor);

// === impl Visitor ===

impl de::Visitor<'_> for Visitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as 15s or 1500ms")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text)
    }
}

// === impl Optional ===

impl<'de> de::Visitor<'de> for Optional {
    type Value = Option<Duration>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        deserialize(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Times {
        #[serde(with = "super")]
        one: Duration,
        #[serde(default, with = "super::optional")]
        other: Option<Duration>,
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (one, other) = (Duration::from_millis(90_500), None);
        let times = Times { one, other };
        let text = serde_json::to_string(&times).unwrap();
        assert_eq!(text, r#"{"one":"1m 30s 500ms","other":null}"#);
        assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times);
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in ["", "15", "-15s", "nonsense"] {
            let json = format!(r#"{{"one": {text:?}}}"#);
            let error = serde_json::from_str::<Times>(&json).unwrap_err();
            assert!(error.to_string().contains("like 15s"), "{error}");
        }
        let error = serde_json::from_str::<Times>(r#"{"one": "9000h"}"#).unwrap_err();
        assert!(error.to_string().contains("at most 8760h"), "{error}");
        let error = serde_json::from_str::<Times>(r#"{"one": "1s", "other": 15}"#).unwrap_err();
        assert!(error.to_string().contains("a time such as"), "{error}");
    }
}
