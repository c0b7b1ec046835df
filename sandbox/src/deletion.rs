//! What a client says about a deletion: `DeleteOptions`, in the body or in the query.

use serde_json::{Value, json};

use crate::{
    query::Query,
    status::{ApiError, FieldError},
    store::Preconditions,
};

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DeleteOptions {
    pub only_if: Preconditions,
    pub dry_run: bool,
    /// How many seconds the object may take to end; `None` leaves it to the object.
    pub grace: Option<i64>,
    /// What becomes of the dependents; `None` leaves it to the finalizers of the object.
    pub propagation: Option<Propagation>,
}

/// What becomes of the objects that an object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They are deleted when their owner is gone.
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay, and no longer name the owner.
    Orphan,
}

// === impl DeleteOptions ===

impl DeleteOptions {
    /// Reads the query.
    pub(crate) fn of_query(query: &Query) -> Result<Self, ApiError> {
        let mut options = json!({});
        if let Some(seconds) = query.integer("gracePeriodSeconds")? {
            options["gracePeriodSeconds"] = json!(seconds);
        }
        if let Some(orphan) = query.flag("orphanDependents") {
            options["orphanDependents"] = json!(orphan);
        }
        if let Some(policy) = query.get("propagationPolicy") {
            options["propagationPolicy"] = json!(policy);
        }
        let stages: Vec<_> = query.all("dryRun").collect();
        if !stages.is_empty() {
            options["dryRun"] = json!(stages);
        }
        Self::read(&options)
    }

    /// Reads the object, whose fields have their types; null means none.
    pub(crate) fn read(options: &Value) -> Result<Self, ApiError> {
        let orphan = options["orphanDependents"].as_bool();
        let policy = &options["propagationPolicy"];
        let stages = &options["dryRun"];
        let errors = check(orphan, policy, stages);
        if !errors.is_empty() {
            return Err(ApiError::invalid(
                "meta.k8s.io",
                "DeleteOptions",
                "",
                &errors,
            ));
        }
        let condition = |field: &str| options["preconditions"][field].as_str().map(str::to_owned);
        Ok(Self {
            only_if: Preconditions {
                uid: condition("uid"),
                version: condition("resourceVersion"),
            },
            dry_run: stages.as_array().is_some_and(|stages| !stages.is_empty()),
            // A negative time has always meant a second.
            grace: options["gracePeriodSeconds"]
                .as_i64()
                .map(|seconds| if seconds < 0 { 1 } else { seconds }),
            propagation: match (orphan, policy.as_str()) {
                (Some(true), _) | (_, Some("Orphan")) => Some(Propagation::Orphan),
                (Some(false), _) | (_, Some("Background")) => Some(Propagation::Background),
                (_, Some("Foreground")) => Some(Propagation::Foreground),
                _ => None,
            },
        })
    }
}

fn check(orphan: Option<bool>, policy: &Value, stages: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if orphan.is_some() && !policy.is_null() {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        errors.push(FieldError::invalid("propagationPolicy", policy, why));
    }
    let known = ["Foreground", "Background", "Orphan"];
    if policy
        .as_str()
        .is_some_and(|policy| !known.contains(&policy))
    {
        let known = ["Foreground", "Background", "Orphan", "nil"];
        errors.push(FieldError::unsupported("propagationPolicy", policy, &known));
    }
    let mut given = stages.as_array().into_iter().flatten();
    if given.any(|stage| stage != "All") {
        errors.push(FieldError::unsupported("dryRun", stages, &["All"]));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_make_no_sense_are_refused_in_the_words_of_the_api_server() {
        let invalid = "DeleteOptions.meta.k8s.io \"\" is invalid: ";
        for (options, expected) in [
            (
                json!({"propagationPolicy": "Foo"}),
                "propagationPolicy: Unsupported value: \"Foo\": supported values: \
                 \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
            ),
            (
                json!({"propagationPolicy": "Orphan", "orphanDependents": true}),
                "propagationPolicy: Invalid value: \"Orphan\": \
                 orphanDependents and deletionPropagation cannot be both set",
            ),
            (
                json!({"dryRun": ["x"]}),
                "dryRun: Unsupported value: [\"x\"]: supported values: \"All\"",
            ),
        ] {
            let error = DeleteOptions::read(&options).unwrap_err();
            assert_eq!(error.message, format!("{invalid}{expected}"));
        }
    }

    #[test]
    fn the_query_says_the_same_as_a_body() {
        let query = Query::parse("gracePeriodSeconds=5&propagationPolicy=Foreground&dryRun=All");
        let options = DeleteOptions::of_query(&query).unwrap();
        assert_eq!(options.grace, Some(5));
        assert_eq!(options.propagation, Some(Propagation::Foreground));
        assert!(options.dry_run);
        let options = DeleteOptions::read(&json!({"gracePeriodSeconds": -5})).unwrap();
        assert_eq!(options.grace, Some(1));
        assert!(!options.dry_run);
    }
}
