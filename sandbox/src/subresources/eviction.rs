//! `pods/{name}/eviction`: deletes a Pod, if the PodDisruptionBudgets of its namespace allow that.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    deletion::DeleteOptions,
    kinds::{Kind, Subresource},
    label_selector, meta, reply,
    request::{ApiRequest, Target},
    sandbox::{Body, Sandbox},
    selector::Selection,
    status::ApiError,
    store::{Call, Intent, Store},
};

/// What the budgets say.
enum Verdict {
    Allowed,
    /// The Pod counts for a budget, which this is the new state of.
    Counted(Value),
    /// More than one budget is about the Pod.
    Ambiguous,
}

/// Evicts a Pod.
pub(super) fn evict(
    sandbox: &Sandbox,
    request: &ApiRequest,
    target: &Target,
) -> Result<Response<Body>, ApiError> {
    let eviction = request.object(&Kind::eviction())?;
    if meta::text(&eviction, "name") != target.name {
        let message = "name in URL does not match name in Eviction object";
        return Err(ApiError::bad_request(message));
    }
    let options = DeleteOptions::read(&eviction["deleteOptions"])?;
    let dry_run = options.dry_run || request.query.dry_run()?;
    let call = request.call(
        sandbox,
        target.kind.clone(),
        target.namespace.clone(),
        dry_run,
    );

    let mut store = sandbox.store();
    let pod = store.get(&target.kind, &target.namespace, &target.name)?;
    match judge(&store, &call, pod.value())? {
        Verdict::Allowed => {}
        Verdict::Ambiguous => {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Ok(status(StatusCode::INTERNAL_SERVER_ERROR, message));
        }
        Verdict::Counted(budget) => write_budget(&mut store, &call, budget)?,
    }
    delete(&mut store, &call, pod.value(), options)?;
    Ok(status(StatusCode::CREATED, ""))
}

/// Whether a Pod may go.
fn judge(store: &Store, call: &Call, pod: &Value) -> Result<Verdict, ApiError> {
    let phase = pod["status"]["phase"].as_str().unwrap_or("Pending");
    if meta::is_deleting(pod) || matches!(phase, "Pending" | "Succeeded" | "Failed") {
        return Ok(Verdict::Allowed);
    }
    let Some(kind) = store.registry().named("PodDisruptionBudget") else {
        return Ok(Verdict::Allowed);
    };
    let mut budgets = store.objects(&kind, &call.namespace);
    budgets.retain(|budget| concerns(budget.value(), pod));
    match budgets.as_slice() {
        [] => Ok(Verdict::Allowed),
        [budget] if is_spare(budget.value(), pod) => Ok(Verdict::Allowed),
        [budget] => count(budget.value(), pod, &call.now).map(Verdict::Counted),
        _ => Ok(Verdict::Ambiguous),
    }
}

fn concerns(budget: &Value, pod: &Value) -> bool {
    let text = label_selector::to_text(&budget["spec"]["selector"]);
    let selection = text.and_then(|text| Selection::parse(None, &text, "").ok());
    selection.is_some_and(|selection| selection.matches(pod))
}

/// Whether a Pod is of no use to its budget: it is not ready, and others are, or the budget does not mind.
fn is_spare(budget: &Value, pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    if conditions.is_some_and(|conditions| conditions.iter().any(ready)) {
        return false;
    }
    let (healthy, needed) = (
        number(budget, "currentHealthy"),
        number(budget, "desiredHealthy"),
    );
    budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        || (healthy >= needed && needed > 0)
}

/// The budget with one disruption less.
fn count(budget: &Value, pod: &Value, now: &str) -> Result<Value, ApiError> {
    let name = meta::text(budget, "name");
    let generation = budget["metadata"]["generation"]
        .as_i64()
        .unwrap_or_default();
    if number(budget, "observedGeneration") < generation {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(ApiError::budget(&why, 10));
    }
    let allowed = number(budget, "disruptionsAllowed");
    if allowed < 0 {
        let why = "pdb disruptions allowed is negative";
        return Err(ApiError::denied("policy", "poddisruptionbudget", name, why));
    }
    if allowed == 0 {
        return Err(ApiError::budget(&refusal(budget), 0));
    }
    let mut counted = budget.clone();
    let status = &mut counted["status"];
    status["disruptionsAllowed"] = json!(allowed - 1);
    if !status["disruptedPods"].is_object() {
        status["disruptedPods"] = json!({});
    }
    status["disruptedPods"][meta::text(pod, "name")] = json!(now);
    if allowed == 1 {
        let condition = json!({
            "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
            "observedGeneration": generation, "lastTransitionTime": now,
        });
        set_condition(status, condition);
    }
    Ok(counted)
}

/// Why a budget allows no disruption.
fn refusal(budget: &Value) -> String {
    let name = meta::text(budget, "name");
    let conditions = budget["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    let mut denials = conditions.filter(|condition| {
        condition["type"] == "DisruptionAllowed" && condition["status"] == "False"
    });
    let text =
        |condition: &Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    let denial = denials.next();
    let denial = denial.map(|condition| (text(condition, "reason"), text(condition, "message")));
    let denial = denial.filter(|(_, message)| !message.is_empty());
    let (healthy, needed) = (
        number(budget, "currentHealthy"),
        number(budget, "desiredHealthy"),
    );
    match denial {
        Some((reason, message)) if reason == "SyncFailed" => format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed sync: {message}"
        ),
        _ if healthy <= needed => format!(
            "The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
        ),
        Some((reason, message)) => format!(
            "The disruption budget {name} does not allow evicting pods currently ({reason}): {message}"
        ),
        None => format!("The disruption budget {name} does not allow evicting pods currently"),
    }
}

fn write_budget(store: &mut Store, call: &Call, budget: Value) -> Result<(), ApiError> {
    let Some(kind) = store.registry().named("PodDisruptionBudget") else {
        return Ok(());
    };
    let call = Call {
        kind,
        part: Some(Subresource::Status),
        ..call.clone()
    };
    let name = meta::text(&budget, "name").to_owned();
    store.update(&call, &name, budget, Intent::Patch)?;
    Ok(())
}

/// Says why the Pod goes, and deletes it.
fn delete(
    store: &mut Store,
    call: &Call,
    pod: &Value,
    mut options: DeleteOptions,
) -> Result<(), ApiError> {
    let name = meta::text(pod, "name");
    options.only_if.check(&call.kind, name, pod)?;
    if !call.dry_run {
        let mut marked = pod.clone();
        let condition = json!({
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting", "lastTransitionTime": call.now,
        });
        set_condition(&mut marked["status"], condition);
        let of_status = Call {
            part: Some(Subresource::Status),
            ..call.clone()
        };
        let (updated, _) = store.update(&of_status, name, marked, Intent::Patch)?;
        let only_if = &mut options.only_if;
        only_if.version = only_if
            .version
            .take()
            .map(|_| meta::text(updated.value(), "resourceVersion").to_owned());
    }
    store.delete(call, name, &options)?;
    Ok(())
}

/// Puts a condition in the place of the one of its type.
fn set_condition(status: &mut Value, condition: Value) {
    let conditions = &mut status["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    if let Some(list) = conditions.as_array_mut() {
        list.retain(|other| other["type"] != condition["type"]);
        list.push(condition);
    }
}

fn number(budget: &Value, field: &str) -> i64 {
    budget["status"][field].as_i64().unwrap_or_default()
}

fn status(code: StatusCode, message: &str) -> Response<Body> {
    let mut status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "code": code.as_u16(),
        "status": if message.is_empty() { "Success" } else { "Failure" },
    });
    if !message.is_empty() {
        status["message"] = json!(message);
    }
    reply::json_reply(code, &status)
}
