//! Quantities of resources, in the one form in which Kubernetes writes each.

const MALFORMED: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NUMERIC: &str = "unable to parse numeric part of quantity";
const SUFFIX: &str = "unable to parse quantity's suffix";

/// The family of suffixes that a quantity is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    DecimalExponent,
    DecimalSi,
    BinarySi,
}

/// `units * 10^-9`.
const NANO: i32 = -9;

/// Reads a quantity and writes it in its canonical form, like `500m` for `0.5`.
pub(crate) fn canonical(text: &str) -> Result<String, &'static str> {
    let (negative, digits, fraction, suffix) = split(text)?;
    let (base, exponent, mut format) = interpret(suffix).ok_or(SUFFIX)?;

    // A number is kept as an integer and the power of ten that it is multiplied with.
    let all = format!("{digits}{fraction}");
    let all = all.trim_start_matches('0');
    let mut scale = -i32::try_from(fraction.len()).map_err(|_| NUMERIC)?;
    // What is longer than this does not fit into any resource.
    let mut units: u128 = match all {
        "" => return Ok("0".to_owned()),
        all => all.get(..36).unwrap_or(all).parse().map_err(|_| NUMERIC)?,
    };
    scale += i32::try_from(all.len().saturating_sub(36)).map_err(|_| NUMERIC)?;
    if base == 2 {
        let factor = 1_u128 << exponent.clamp(0, 60);
        match units.checked_mul(factor) {
            Some(product) => units = product,
            None => (units, scale) = (units / 10_u128.pow(18) * factor, scale + 18),
        }
    } else {
        scale += exponent;
    }
    // Nothing is smaller than a billionth, and what is there does not vanish.
    while scale < NANO {
        units = units.div_ceil(10);
        scale += 1;
        if units <= 1 {
            scale = NANO;
        }
    }
    let limit = u128::from(i64::MAX.unsigned_abs());
    if format == Format::BinarySi && exceeds(units, scale, limit) {
        (units, scale) = (limit, 0);
    }
    let whole = whole(units, scale);
    if format == Format::BinarySi && whole.is_none_or(|whole| whole < 1024) {
        format = Format::DecimalSi;
    }
    let sign = if negative { "-" } else { "" };
    let written = match (format, whole) {
        (Format::BinarySi, Some(whole)) => binary(whole),
        _ => decimal(units, scale, format),
    };
    Ok(format!("{sign}{written}"))
}

/// The sign, the digits before and behind the point, and the suffix.
fn split(text: &str) -> Result<(bool, &str, &str, &str), &'static str> {
    if text.is_empty() {
        return Err(MALFORMED);
    }
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (digits, rest) = digits(unsigned);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => self::digits(rest),
        None => ("", rest),
    };
    let exponent = suffix.trim_start_matches(|letter| "eEinumkKMGTP".contains(letter));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if exponent.bytes().any(|byte| !byte.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    Ok((negative, digits, fraction, suffix))
}

fn digits(text: &str) -> (&str, &str) {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(count)
}

/// The base, exponent and family of a suffix.
fn interpret(suffix: &str) -> Option<(u32, i32, Format)> {
    let decimal = |exponent| Some((10, exponent, Format::DecimalSi));
    let binary = |exponent| Some((2, exponent, Format::BinarySi));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?;
            // Powers beyond these are zero or without bound either way.
            Some((10, exponent.clamp(-400, 400), Format::DecimalExponent))
        }
    }
}

fn exceeds(units: u128, scale: i32, limit: u128) -> bool {
    let power = 10_u128.checked_pow(scale.unsigned_abs());
    match power {
        Some(power) if scale < 0 => units.div_ceil(power) > limit,
        Some(power) => units
            .checked_mul(power)
            .is_none_or(|product| product > limit),
        None => scale > 0,
    }
}

/// The number, if it is an integer.
fn whole(units: u128, scale: i32) -> Option<u128> {
    let power = 10_u128.checked_pow(scale.unsigned_abs())?;
    if scale >= 0 {
        return units.checked_mul(power);
    }
    units.is_multiple_of(power).then(|| units / power)
}

fn binary(mut whole: u128) -> String {
    let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
    let mut suffix = suffixes.next();
    while whole.is_multiple_of(1024) {
        match suffixes.next() {
            Some(next) => (whole, suffix) = (whole / 1024, Some(next)),
            None => break,
        }
    }
    format!("{whole}{}", suffix.unwrap_or_default())
}

/// The number with the largest power of a thousand that leaves no fraction.
fn decimal(mut units: u128, mut scale: i32, format: Format) -> String {
    while units.is_multiple_of(10) {
        (units, scale) = (units / 10, scale + 1);
    }
    let zeroes = scale.rem_euclid(3);
    units = units.saturating_mul(10_u128.pow(zeroes.unsigned_abs()));
    scale -= zeroes;
    let suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    let place = usize::try_from(scale / 3 + 3).ok();
    match (format, place.and_then(|place| suffixes.get(place))) {
        (Format::DecimalExponent, _) if scale == 0 => units.to_string(),
        (Format::DecimalExponent, _) => format!("{units}e{scale}"),
        (_, Some(suffix)) => format!("{units}{suffix}"),
        // No suffix is that large: zeroes stand for it.
        (_, None) => {
            let zeroes = "0".repeat(usize::try_from(scale - 18).unwrap_or_default());
            format!("{units}{zeroes}E")
        }
    }
}
