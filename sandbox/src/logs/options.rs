//! Which part of a log a request asks for.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    query::Query,
    status::{ApiError, FieldError},
};

/// The options of a request for a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LogOptions {
    /// The name of a container; empty for the only one.
    pub container: String,
    pub follow: bool,
    pub previous: bool,
    /// Whether lines begin with the time at which they were written.
    pub timestamps: bool,
    /// How many of the last lines.
    pub tail: Option<usize>,
    /// How many bytes at most.
    pub limit: Option<usize>,
    pub since_seconds: Option<i64>,
    pub since_time: Option<Timestamp>,
}

// === impl LogOptions ===

impl LogOptions {
    /// Reads the parameters of a request for the log of `pod`.
    pub(crate) fn parse(query: &Query, pod: &str) -> Result<Self, ApiError> {
        let (tail, limit) = (number(query, "tailLines")?, number(query, "limitBytes")?);
        let options = Self {
            container: query.get("container").unwrap_or_default().to_owned(),
            follow: query.flag("follow").unwrap_or(false),
            previous: query.flag("previous").unwrap_or(false),
            timestamps: query.flag("timestamps").unwrap_or(false),
            tail: tail.and_then(|lines| usize::try_from(lines).ok()),
            limit: limit.and_then(|bytes| usize::try_from(bytes).ok()),
            since_seconds: number(query, "sinceSeconds")?,
            since_time: time(query, "sinceTime")?,
        };
        let errors = options.check(tail, limit);
        if errors.is_empty() {
            return Ok(options);
        }
        Err(ApiError::invalid("", "PodLogOptions", pod, &errors))
    }

    fn check(&self, tail: Option<i64>, limit: Option<i64>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(lines) = tail.filter(|lines| *lines < 0) {
            let why = "must be greater than or equal to 0";
            errors.push(FieldError::invalid("tailLines", &json!(lines), why));
        }
        let positive = "must be greater than 0";
        if let Some(bytes) = limit.filter(|bytes| *bytes < 1) {
            errors.push(FieldError::invalid("limitBytes", &json!(bytes), positive));
        }
        match self.since_seconds {
            Some(_) if self.since_time.is_some() => {
                let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
                errors.push(FieldError::forbidden("[]", why));
            }
            Some(seconds) if seconds < 1 => {
                let seconds = json!(seconds);
                errors.push(FieldError::invalid("sinceSeconds", &seconds, positive));
            }
            _ => {}
        }
        errors
    }

    /// The time before which nothing is shown, given the present.
    pub(crate) fn since(&self, now: Timestamp) -> Option<Timestamp> {
        let seconds = self.since_seconds.map(SignedDuration::from_secs);
        // What reaches back beyond time itself leaves nothing out.
        let start = |age| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        seconds.map(start).or(self.since_time)
    }
}

fn number(query: &Query, key: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = query.get(key).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(error) => {
            use std::num::IntErrorKind::{NegOverflow, PosOverflow};
            let why = match error.kind() {
                PosOverflow | NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            let message = format!("strconv.ParseInt: parsing {text:?}: {why}");
            Err(ApiError::bad_request(message))
        }
    }
}

fn time(query: &Query, key: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = query.get(key).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let time = text.parse().map_err(|_| {
        let layout = "2006-01-02T15:04:05Z07:00";
        let message =
            format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"");
        ApiError::bad_request(message)
    })?;
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_meaning_are_refused() {
        for (text, refusal) in [
            ("tailLines=0&limitBytes=1&sinceSeconds=1", None),
            ("sinceTime=2026-11-23T17:00:00Z", None),
            (
                "tailLines=-1",
                Some("tailLines: Invalid value: -1: must be greater than or equal to 0"),
            ),
            (
                "limitBytes=0",
                Some("limitBytes: Invalid value: 0: must be greater than 0"),
            ),
            (
                "sinceSeconds=0",
                Some("sinceSeconds: Invalid value: 0: must be greater than 0"),
            ),
            (
                "tailLines=x",
                Some("strconv.ParseInt: parsing \"x\": invalid syntax"),
            ),
            ("sinceTime=yesterday", Some("parsing time \"yesterday\"")),
            (
                "sinceSeconds=1&sinceTime=2026-11-23T17:00:00Z",
                Some("at most one of `sinceTime` or `sinceSeconds` may be specified"),
            ),
        ] {
            let refused = LogOptions::parse(&Query::parse(text), "lion").err();
            let message = refused.map(|error| error.message);
            match refusal {
                None => assert_eq!(message, None, "{text}"),
                Some(part) => assert!(message.unwrap_or_default().contains(part), "{text}"),
            }
        }
    }
}
