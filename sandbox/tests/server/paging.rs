//! What a client can rely on: lists in pages, and lists of earlier versions.

use crate::support::{ask, config_map, names};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A server with the ConfigMaps `a` to `e`, of which `a`, `b` and `d` are labelled `keep`.
async fn with_maps(history: usize) -> (Sandbox, Client, Api<ConfigMap>) {
    let sandbox = Sandbox::builder().history(history).build();
    let client = sandbox.client();
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    for name in ["a", "b", "c", "d", "e"] {
        let mut map = config_map(name);
        if "abd".contains(name) {
            map.metadata.labels = serde_json::from_value(json!({"keep": "yes"})).unwrap();
        }
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    (sandbox, client, maps)
}

async fn list(client: &Client, query: &str) -> (u16, Value) {
    ask(client, "GET", &format!("{MAPS}?{query}"), &Value::Null).await
}

fn items(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

fn token(list: &Value) -> &str {
    list["metadata"]["continue"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn pages_show_the_version_of_the_first_one_while_writes_go_on() {
    let (_, client, maps) = with_maps(100).await;
    let first = maps.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    maps.delete("c", &Default::default()).await.unwrap();
    maps.create(&PostParams::default(), &config_map("cc"))
        .await
        .unwrap();

    let go_on = |token: &str| ListParams::default().limit(2).continue_token(token);
    let token = first.metadata.continue_.as_deref().unwrap();
    let second = maps.list(&go_on(token)).await.unwrap();
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second.metadata.remaining_item_count, Some(1));
    assert_eq!(
        second.metadata.resource_version,
        first.metadata.resource_version
    );
    let token = second.metadata.continue_.as_deref().unwrap();
    let third = maps.list(&go_on(token)).await.unwrap();
    assert_eq!(names(&third), ["e"]);
    assert_eq!(third.metadata.continue_, None);
    assert_eq!(third.metadata.remaining_item_count, None);

    // A watch from the version of the pages shows what they did not.
    let version = third.metadata.resource_version.unwrap();
    let mut watch = crate::support::watch(&maps, &Default::default(), &version).await;
    assert!(
        crate::support::next(&mut watch)
            .await
            .starts_with("DELETED c@")
    );
    assert!(
        crate::support::next(&mut watch)
            .await
            .starts_with("ADDED cc@")
    );
    drop(client);
}

#[tokio::test]
async fn what_remains_is_counted_without_selectors_only() {
    let (_, client, _) = with_maps(100).await;
    let (_, page) = list(&client, "limit=3&labelSelector=keep").await;
    assert_eq!(items(&page), ["a", "b", "d"]);
    // The server has not looked at what follows: the last page is empty.
    assert_eq!(page["metadata"].get("remainingItemCount"), None);
    let next = format!("limit=3&labelSelector=keep&continue={}", token(&page));
    let (_, last) = list(&client, &next).await;
    assert!(items(&last).is_empty());
    assert_eq!(token(&last), "");
    let (_, one) = list(&client, "limit=1&fieldSelector=metadata.name%3Db").await;
    assert_eq!((items(&one), token(&one)), (vec!["b"], ""));
}

#[tokio::test]
async fn the_pages_of_all_namespaces_come_in_the_order_of_their_keys() {
    let client = Sandbox::new().client();
    for namespace in ["zoo", "zoo-2", "zoo.x"] {
        let body = json!({"metadata": {"name": namespace}});
        ask(&client, "POST", "/api/v1/namespaces", &body).await;
        let body = json!({"metadata": {"name": "m"}});
        let maps = format!("/api/v1/namespaces/{namespace}/configmaps");
        ask(&client, "POST", &maps, &body).await;
    }
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/configmaps?limit=1&continue={next}");
        let (_, page) = ask(&client, "GET", &path, &Value::Null).await;
        let places = page["items"].as_array().unwrap().iter();
        found.extend(places.map(|item| item["metadata"]["namespace"].clone()));
        next = token(&page).to_owned();
        if next.is_empty() {
            break;
        }
    }
    assert_eq!(found, ["zoo-2", "zoo"]);
}

#[tokio::test]
async fn a_token_whose_version_is_compacted_expires_and_offers_to_go_on_inconsistently() {
    let (sandbox, client, maps) = with_maps(100).await;
    let (_, first) = list(&client, "limit=2").await;
    maps.delete("d", &Default::default()).await.unwrap();
    sandbox.compact();

    let next = format!("limit=2&continue={}", token(&first));
    let (code, gone) = list(&client, &next).await;
    assert_eq!((code, &gone["reason"]), (410, &json!("Expired")));
    let message = gone["message"].as_str().unwrap();
    assert!(
        message.starts_with("The provided continue parameter is too old to display a consistent"),
        "{message}"
    );
    // The offered token goes on with what there is now.
    let next = format!("limit=2&continue={}", token(&gone));
    let (code, rest) = list(&client, &next).await;
    assert_eq!((code, items(&rest)), (200, vec!["c", "e"]));
    assert_ne!(
        rest["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
}

#[tokio::test]
async fn a_token_expires_when_the_history_has_moved_on() {
    let (_, client, maps) = with_maps(3).await;
    let (_, first) = list(&client, "limit=2").await;
    let next = format!("limit=2&continue={}", token(&first));
    for name in ["f", "g", "h"] {
        let map = config_map(name);
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    assert_eq!(list(&client, &next).await.0, 200);
    let map = config_map("i");
    maps.create(&PostParams::default(), &map).await.unwrap();
    assert_eq!(list(&client, &next).await.0, 410);
}

#[tokio::test]
async fn a_list_shows_the_version_that_it_asks_for() {
    let (sandbox, client, maps) = with_maps(100).await;
    let (_, before) = list(&client, "").await;
    let version = before["metadata"]["resourceVersion"].as_str().unwrap();
    maps.delete("c", &Default::default()).await.unwrap();

    let all = vec!["a", "b", "c", "d", "e"];
    let now = vec!["a", "b", "d", "e"];
    for (query, expected) in [
        (
            format!("resourceVersion={version}&resourceVersionMatch=Exact"),
            &all,
        ),
        (format!("resourceVersion={version}&limit=9"), &all),
        (
            format!("resourceVersion={version}&resourceVersionMatch=NotOlderThan&limit=9"),
            &now,
        ),
        (format!("resourceVersion={version}"), &now),
        ("resourceVersion=0&limit=2".to_owned(), &now),
    ] {
        let (code, list) = list(&client, &query).await;
        assert_eq!((code, &items(&list)), (200, expected), "{query}");
    }
    sandbox.compact();
    let exact = format!("resourceVersion={version}&resourceVersionMatch=Exact");
    let (code, gone) = list(&client, &exact).await;
    assert_eq!(code, 410);
    assert_eq!(
        gone["message"],
        "The resourceVersion for the provided list is too old."
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_the_words_of_the_api_server() {
    let (_, client, _) = with_maps(100).await;
    let (_, first) = list(&client, "limit=2").await;
    let token = token(&first);
    let invalid = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: ";
    for (query, code, expected) in [
        (
            "limit=abc",
            400,
            "strconv.ParseInt: parsing \"abc\": invalid syntax",
        ),
        (
            "resourceVersion=-1",
            400,
            "invalid resource version: resourceVersion: Invalid value: \"-1\": \
             strconv.ParseUint: parsing \"-1\": invalid syntax",
        ),
        (
            "continue=TOKEN&resourceVersion=5",
            400,
            "specifying resource version is not allowed when using continue",
        ),
        (
            "resourceVersion=0&resourceVersionMatch=Exact",
            422,
            "INVALIDForbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        ),
        (
            "resourceVersion=1&resourceVersionMatch=Foo",
            422,
            "INVALIDUnsupported value: \"Foo\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
        ),
        (
            "continue=TOKEN&resourceVersion=5&resourceVersionMatch=Exact",
            422,
            "INVALIDForbidden: resourceVersionMatch is forbidden when continue is provided",
        ),
        (
            "watch=1&continue=TOKEN",
            422,
            "INVALIDForbidden: resourceVersionMatch is forbidden when continue is provided",
        ),
        (
            "watch=1&resourceVersion=x",
            400,
            "resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            "resourceVersion=100000&resourceVersionMatch=Exact",
            504,
            "Timeout: Too large resource version: 100000, current: CURRENT",
        ),
    ] {
        let version = first["metadata"]["resourceVersion"].as_str().unwrap();
        let expected = expected
            .replace("INVALID", invalid)
            .replace("CURRENT", version);
        let (found, status) = list(&client, &query.replace("TOKEN", token)).await;
        assert_eq!(
            (found, &status["message"]),
            (code, &json!(expected)),
            "{query}"
        );
    }
}
