//! No bytes bring the decoder down.

use proptest::prelude::*;

use super::{Expected, MediaType, Validation, object, typed};
use crate::kinds::Registry;

/// Bodies that are nearly right: pieces of the languages in any order, or any bytes.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(":"),
        Just(","),
        Just("null"),
        Just("true"),
        Just("\n"),
        Just("\"metadata\":"),
        Just("\"spec\":"),
        Just("\"status\":"),
        Just("\"containers\":"),
        Just("\"name\":"),
        Just("\"creationTimestamp\":"),
        Just("\"limits\":"),
        Just("\"schema\":"),
        Just("\"items\":"),
        Just("\"2020-02-30T25:00:00+99:99\""),
        Just("\"\\ud800\\u12\""),
        Just("1e999"),
        Just("-0.5Ki"),
        Just("18446744073709551616"),
        Just("\"9999999999999999999999999999999999999999Ei\""),
        Just("- "),
        Just("&a "),
        Just("*a "),
        Just("? "),
        Just("!!binary "),
        Just("\"x\""),
        Just("'"),
        Just("\u{fffd}"),
        Just("  "),
        Just("kind: "),
    ];
    let text = proptest::collection::vec(piece, 0..40).prop_map(|all| all.concat().into_bytes());
    let bytes = proptest::collection::vec(0..=u8::MAX, 0..60);
    let message = proptest::collection::vec(0..=u8::MAX, 0..60).prop_map(|raw| {
        let mut body = b"k8s\0\x12".to_vec();
        body.push(u8::try_from(raw.len()).unwrap_or_default());
        body.extend(raw);
        body
    });
    prop_oneof![text, bytes, message]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_an_object_or_a_bad_request(body in bodies()) {
        for kind in Registry::built_in().kinds() {
            for media_type in [MediaType::Json, MediaType::Yaml, MediaType::Protobuf] {
                for validation in [Validation::Ignore, Validation::Strict] {
                    match object(kind, media_type, &body, validation) {
                        Ok(decoded) => prop_assert!(decoded.object["metadata"].is_object()),
                        Err(error) => prop_assert_eq!(error.code.as_u16(), 400),
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_been_decoded_is_decoded_to_itself(body in bodies()) {
        for kind in Registry::built_in().kinds() {
            for media_type in [MediaType::Json, MediaType::Protobuf] {
                let Ok(first) = typed(Expected::of(kind), media_type, &body, Validation::Warn) else {
                    continue;
                };
                let text = first.object.to_string();
                let again = typed(Expected::of(kind), MediaType::Json, text.as_bytes(), Validation::Strict);
                prop_assert_eq!(again.map(|again| again.object), Ok(first.object));
            }
        }
    }
}
