//! Timestamps, read as strictly as Go reads them and written in UTC.

use jiff::{Span, civil::DateTime};

use super::json::quote;

const SECONDS: &str = "2006-01-02T15:04:05Z07:00";
const MICROSECONDS: &str = "2006-01-02T15:04:05.000000Z07:00";

/// What is still to be read of a timestamp.
struct Rest<'a> {
    all: &'a str,
    layout: &'static str,
    left: &'a str,
}

/// Reads RFC 3339 in seconds and writes it in UTC; `None` is the time that Go starts with.
pub(crate) fn seconds(text: &str) -> Result<Option<String>, String> {
    let (time, _) = read(text, false)?;
    Ok(time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

/// Reads RFC 3339 in microseconds and writes it in UTC; `None` is the time that Go starts with.
pub(crate) fn microseconds(text: &str) -> Result<Option<String>, String> {
    let (time, fraction) = read(text, true)?;
    Ok(time.map(|time| format!("{}.{fraction:06}Z", time.strftime("%Y-%m-%dT%H:%M:%S"))))
}

/// The second in UTC, and the microseconds in it.
fn read(text: &str, micro: bool) -> Result<(Option<DateTime>, u32), String> {
    let mut rest = Rest {
        all: text,
        layout: if micro { MICROSECONDS } else { SECONDS },
        left: text,
    };
    let year = rest.number("2006", 4, 4)?;
    rest.skip("-")?;
    let month = rest.within("01", "month", 1, 12)?;
    rest.skip("-")?;
    let day = rest.number("02", 2, 2)?;
    rest.skip("T")?;
    let hour = rest.within("15", "hour", 0, 23)?;
    rest.skip(":")?;
    let minute = rest.within("04", "minute", 0, 59)?;
    rest.skip(":")?;
    let second = rest.within("05", "second", 0, 59)?;
    let fraction = if micro {
        rest.microseconds()?
    } else {
        rest.skip_fraction();
        0
    };
    let offset = rest.offset()?;
    if !rest.left.is_empty() {
        let (all, left) = (quote(text), quote(rest.left));
        return Err(format!("parsing time {all}: extra text: {left}"));
    }
    let small = |number: u32| i8::try_from(number).unwrap_or_default();
    let time = DateTime::new(
        i16::try_from(year).unwrap_or_default(),
        small(month),
        small(day),
        small(hour),
        small(minute),
        small(second),
        0,
    );
    let local = time.map_err(|_| rest.out_of_range("day"))?;
    let utc = local
        .checked_sub(Span::new().seconds(offset))
        .map_err(|_| rest.out_of_range("year"))?;
    let start = jiff::civil::date(1, 1, 1).at(0, 0, 0, 0);
    Ok(((utc != start || fraction != 0).then_some(utc), fraction))
}

// === impl Rest ===

impl<'a> Rest<'a> {
    fn cannot_parse(&self, left: &str, element: &str) -> String {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(self.all),
            quote(self.layout),
            quote(left),
            quote(element)
        )
    }

    fn out_of_range(&self, what: &str) -> String {
        format!("parsing time {}: {what} out of range", quote(self.all))
    }

    fn skip(&mut self, separator: &str) -> Result<(), String> {
        let left = self.left.strip_prefix(separator);
        self.left = left.ok_or_else(|| self.cannot_parse(self.left, separator))?;
        Ok(())
    }

    /// A number of so many digits.
    fn number(&mut self, element: &str, least: usize, most: usize) -> Result<u32, String> {
        let digits = self.left.bytes().take_while(u8::is_ascii_digit);
        let count = digits.take(most).count();
        let (digits, left) = self.left.split_at(count);
        if count < least {
            return Err(self.cannot_parse(self.left, element));
        }
        let number = digits.parse();
        self.left = left;
        number.map_err(|_| self.cannot_parse(digits, element))
    }

    fn within(&mut self, element: &str, name: &str, least: u32, most: u32) -> Result<u32, String> {
        // The hour alone may have a single digit.
        let number = self.number(element, if name == "hour" { 1 } else { 2 }, 2)?;
        if (least..=most).contains(&number) {
            return Ok(number);
        }
        Err(self.out_of_range(name))
    }

    fn microseconds(&mut self) -> Result<u32, String> {
        let (before, element) = (self.left, ".000000");
        let Some(digits) = before.strip_prefix(['.', ',']) else {
            return Err(self.cannot_parse(before, element));
        };
        self.left = digits;
        self.number(element, 6, 6)
            .map_err(|_| self.cannot_parse(before, element))
    }

    /// A fraction of a second is allowed and dropped.
    fn skip_fraction(&mut self) {
        if let Some(digits) = self.left.strip_prefix(['.', ','])
            && digits.starts_with(|letter: char| letter.is_ascii_digit())
        {
            self.left = digits.trim_start_matches(|letter: char| letter.is_ascii_digit());
        }
    }

    /// The seconds that the local time is ahead of UTC.
    fn offset(&mut self) -> Result<i64, String> {
        if let Some(left) = self.left.strip_prefix('Z') {
            self.left = left;
            return Ok(0);
        }
        let refused = self.cannot_parse(self.left, "Z07:00");
        let part = |range| self.left.get(range);
        let (Some(sign), Some(hour), Some(":"), Some(minute)) =
            (part(0..1), part(1..3), part(3..4), part(4..6))
        else {
            return Err(refused);
        };
        let two_digits = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| digits)
        };
        let (Some(hours), Some(minutes)) = (two_digits(hour), two_digits(minute)) else {
            return Err(refused);
        };
        let sign = match sign {
            "+" => 1,
            "-" => -1,
            _ => return Err(refused),
        };
        if hours > 24 {
            return Err(self.out_of_range("time zone offset hour"));
        }
        if minutes > 60 {
            return Err(self.out_of_range("time zone offset minute"));
        }
        self.left = self.left.get(6..).unwrap_or_default();
        Ok(sign * (hours * 60 + minutes) * 60)
    }
}
