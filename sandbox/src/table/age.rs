//! How old something is, as people read it.

use jiff::Timestamp;
use serde_json::Value;

/// The time since a timestamp of an object, in two or three significant figures.
pub(crate) fn since(time: &Value, now: Timestamp) -> String {
    match time.as_str().map(str::parse::<Timestamp>) {
        Some(Ok(then)) => human(now.as_second() - then.as_second()),
        // What a client has written there is not read back by others either.
        Some(Err(_)) => "<invalid>".to_owned(),
        None => "<unknown>".to_owned(),
    }
}

fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        // Clocks differ a little: what is just ahead counts as now.
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two((minutes, 'm'), (seconds % 60, 's')),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two((hours, 'h'), (minutes % 60, 'm')),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => two((days, 'd'), (hours % 24, 'h')),
        _ if days < 2 * 365 => format!("{days}d"),
        _ if days < 8 * 365 => two((days / 365, 'y'), (days % 365, 'd')),
        _ => format!("{}y", days / 365),
    }
}

/// Two units, the smaller one only when it says something.
fn two((large, large_unit): (i64, char), (small, small_unit): (i64, char)) -> String {
    match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit}{small}{small_unit}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ages_are_short() {
        const HOUR: i64 = 3600;
        const DAY: i64 = 24 * HOUR;
        for (seconds, expected) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (599, "9m59s"),
            (600, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 60, "3h1m"),
            (8 * HOUR - 1, "7h59m"),
            (8 * HOUR, "8h"),
            (2 * DAY - 1, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + HOUR, "2d1h"),
            (8 * DAY - 1, "7d23h"),
            (8 * DAY, "8d"),
            (2 * 365 * DAY - 1, "729d"),
            (2 * 365 * DAY, "2y"),
            (2 * 365 * DAY + DAY, "2y1d"),
            (8 * 365 * DAY, "8y"),
        ] {
            assert_eq!(human(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn what_has_no_time_has_no_age() {
        let now = "2026-01-01T00:01:00.9Z".parse().unwrap();
        assert_eq!(since(&json!("2026-01-01T00:00:00Z"), now), "60s");
        assert_eq!(since(&json!("2026-01-01T00:00:30.500000Z"), now), "30s");
        assert_eq!(since(&json!(null), now), "<unknown>");
    }
}
