//! From the lines of a log to the bytes that a client asked for.

use bytes::Bytes;
use jiff::Timestamp;

use super::{LogLine, LogOptions};

/// What is still to be sent of a log.
#[derive(Debug)]
pub(super) struct Limits {
    since: Option<Timestamp>,
    timestamps: bool,
    /// How many bytes may still be sent.
    left: Option<usize>,
}

/// The last lines that `options` ask for.
pub(super) fn tail(past: Vec<LogLine>, options: &LogOptions) -> Vec<LogLine> {
    let surplus = options
        .tail
        .map_or(0, |lines| past.len().saturating_sub(lines));
    past.into_iter().skip(surplus).collect()
}

// === impl Limits ===

impl Limits {
    pub(super) fn new(options: &LogOptions, now: Timestamp) -> Self {
        Self {
            since: options.since(now),
            timestamps: options.timestamps,
            left: options.limit,
        }
    }

    /// Whether nothing more may be sent.
    pub(super) fn is_reached(&self) -> bool {
        self.left == Some(0)
    }

    /// What is sent of a line; nothing of one that is too old.
    pub(super) fn pass(&mut self, line: &LogLine) -> Option<Bytes> {
        if self.is_reached() || self.since.is_some_and(|since| line.time < since) {
            return None;
        }
        let mut text = String::new();
        if self.timestamps {
            text = format!("{:.9} ", line.time);
        }
        text.push_str(&line.text);
        text.push('\n');
        let mut bytes = Bytes::from(text);
        if let Some(left) = &mut self.left {
            bytes.truncate(*left);
            *left -= bytes.len();
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent of three lines, written at the seconds 10, 20 and 30, to a client that asks at 35.
    fn sent(options: &LogOptions) -> String {
        let at = |second| Timestamp::from_second(second).unwrap();
        let lines = [(10, "one"), (20, "two"), (30, "three")];
        let past = lines.map(|(second, text)| LogLine::new(at(second), text));
        let mut limits = Limits::new(options, at(35));
        let lines = tail(past.to_vec(), options);
        let pieces = lines.iter().filter_map(|line| limits.pass(line));
        String::from_utf8(pieces.flatten().collect()).unwrap()
    }

    #[test]
    fn a_client_gets_the_lines_that_it_asks_for() {
        let all = LogOptions::default;
        for (options, expected) in [
            (all(), "one\ntwo\nthree\n"),
            (
                LogOptions {
                    tail: Some(2),
                    ..all()
                },
                "two\nthree\n",
            ),
            (
                LogOptions {
                    tail: Some(0),
                    ..all()
                },
                "",
            ),
            (
                LogOptions {
                    since_seconds: Some(15),
                    ..all()
                },
                "two\nthree\n",
            ),
            (
                LogOptions {
                    since_seconds: Some(i64::MAX),
                    ..all()
                },
                "one\ntwo\nthree\n",
            ),
            // The last lines are counted first, as a kubelet does.
            (
                LogOptions {
                    tail: Some(1),
                    since_seconds: Some(15),
                    ..all()
                },
                "three\n",
            ),
            (
                LogOptions {
                    limit: Some(6),
                    ..all()
                },
                "one\ntw",
            ),
            (
                LogOptions {
                    timestamps: true,
                    tail: Some(1),
                    ..all()
                },
                "1970-01-01T00:00:30.000000000Z three\n",
            ),
        ] {
            assert_eq!(sent(&options), expected, "{options:?}");
        }
    }
}
