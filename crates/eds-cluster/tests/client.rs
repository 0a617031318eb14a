//! What the API server is asked, and what becomes of its answers: an API server on loopback.

#![cfg(test)]

mod loopback;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use eds_cluster::{Cluster, Refused, kinds};
use futures_util::AsyncReadExt;
use serde_json::{Value, json};

/// One question to the API server.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Get,
    GetClusterScoped,
    List,
    ListSelected,
    ListMetadata,
    Events,
    Apply,
    WouldBe,
    Create,
    CreateUnknown,
    Patch,
    Delete,
    Logs,
    PreviousLogs,
    FollowLines,
    PreviousLines,
    Service,
    Pod,
    May,
    Version,
}

/// A claim, but in another version than the requested one.
fn claim() -> Value {
    json!({
        "apiVersion": "platform.bizmatters.io/v1beta1", "kind": "EventDrivenService",
        "metadata": {"name": "worker", "namespace": "shop"},
    })
}

impl Ask {
    async fn of(self, cluster: &Cluster) -> Result<Value> {
        let shop = Some("shop");
        let list = |found: Result<Vec<Value>>| found.map(Value::from);
        match self {
            Self::Get => Ok(json!(cluster.get(&kinds::DEPLOYMENT, shop, "worker").await?)),
            Self::GetClusterScoped => Ok(json!(cluster.get(&kinds::NODE, shop, "n").await?)),
            Self::List => list(cluster.list(&kinds::POD, None, "").await),
            Self::ListSelected => list(cluster.list(&kinds::POD, shop, "a/b=c,d").await),
            Self::ListMetadata => list(cluster.list_metadata(&kinds::SECRET, shop).await),
            Self::Events => list(cluster.events("shop").await),
            Self::Apply => cluster.apply(&claim()).await,
            Self::WouldBe => cluster.would_be(&claim(), "provider/x").await,
            Self::Create => cluster.create(&claim()).await,
            Self::CreateUnknown => {
                cluster.create(&json!({"apiVersion": "v1", "kind": "Pot"})).await
            }
            Self::Patch => {
                let change = json!({"spec": {"image": "i:2"}});
                cluster.patch(&kinds::CLAIM, shop, "worker", &change).await
            }
            Self::Delete => Ok(json!(cluster.delete(&kinds::CLAIM, shop, "worker").await?)),
            Self::Logs => Ok(json!(cluster.logs("shop", "p", "main", 5, false).await?)),
            Self::PreviousLogs => Ok(json!(cluster.logs("shop", "p", "main", 5, true).await?)),
            Self::FollowLines | Self::PreviousLines => {
                let previous = matches!(self, Self::PreviousLines);
                let stream = cluster.stamped_lines("shop", "p", "main", previous).await?;
                let mut text = String::new();
                std::pin::pin!(stream).read_to_string(&mut text).await?;
                Ok(json!(text))
            }
            Self::Service => {
                let answer = cluster.service_get("nats", "nats", 8222, "/jsz?acc=%24G").await?;
                Ok(json!([answer.code, answer.body]))
            }
            Self::Pod => {
                let answer = cluster.pod_get("nats", "nats-0", 8222, "/varz").await?;
                Ok(json!([answer.code, answer.body]))
            }
            Self::May => {
                let attributes = json!({"resource": "pods", "verb": "get"});
                Ok(json!(cluster.may("dev", &["team".to_owned()], &attributes).await?))
            }
            Self::Version => Ok(json!(cluster.version().await?)),
        }
    }
}

/// Runs to the end, on its own runtime.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

/// Formats a request as one line: method, path, sorted parameters, and content type.
fn line(head: &str) -> String {
    let mut parts = head.split(' ');
    let (method, url) = (parts.next().unwrap(), parts.next().unwrap());
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut query: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let header = |name: &str| {
        let of_name = |line: &str| {
            let (header, value) = line.split_once(": ")?;
            header.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        head.lines().find_map(of_name).unwrap_or_default()
    };
    let content = match method {
        "GET" => String::new(),
        _ => header("content-type"),
    };
    let only_metadata = header("accept").contains("as=PartialObjectMetadataList");
    let accept = if only_metadata { "metadata only" } else { "" };
    let all = [method, path, &query.join("&"), &content, accept];
    all.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_question_is_asked_as_the_api_server_wants_it() {
    let check = |ask: Ask, expected: &str, expected_body: Value| {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        block_on(async move {
            let cluster = loopback::requests(move |head, body| {
                seen.lock().unwrap().push((line(head), body.to_owned()));
                (200, json!({"items": [], "metadata": {}}).to_string())
            });
            ask.of(&cluster.await.unwrap()).await.unwrap();
        });
        let asked = asked.lock().unwrap();
        let [(line, body)] = asked.as_slice() else { panic!("{ask:?}: {asked:?}") };
        assert_eq!(line, expected, "{ask:?}");
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        match (expected_body.as_object(), body.as_object()) {
            (Some(expected), Some(body)) => {
                for (key, value) in expected {
                    assert_eq!(body.get(key), Some(value), "{ask:?}: {key}");
                }
            }
            _ => assert_eq!(body, expected_body, "{ask:?}"),
        }
    };
    let none = Value::Null;
    check(Ask::Get, "GET /apis/apps/v1/namespaces/shop/deployments/worker", none.clone());
    check(Ask::GetClusterScoped, "GET /api/v1/nodes/n", none.clone());
    check(Ask::List, "GET /api/v1/pods", none.clone());
    let selected = "GET /api/v1/namespaces/shop/pods labelSelector=a%2Fb%3Dc%2Cd";
    check(Ask::ListSelected, selected, none.clone());
    check(Ask::ListMetadata, "GET /api/v1/namespaces/shop/secrets metadata only", none.clone());
    check(Ask::Events, "GET /api/v1/namespaces/shop/events", none.clone());
    // The version in the URL is the table's: the API server converts.
    let claims = "/apis/platform.bizmatters.io/v1alpha1/namespaces/shop/eventdrivenservices";
    let apply = "application/apply-patch+yaml";
    check(
        Ask::Apply,
        &format!("PATCH {claims}/worker fieldManager=eds&force=true {apply}"),
        claim(),
    );
    let query = "dryRun=All&fieldManager=provider%2Fx&force=true";
    check(Ask::WouldBe, &format!("PATCH {claims}/worker {query} {apply}"), claim());
    check(Ask::Create, &format!("POST {claims} fieldManager=eds application/json"), claim());
    check(
        Ask::Patch,
        &format!("PATCH {claims}/worker fieldManager=eds application/merge-patch+json"),
        json!({"spec": {"image": "i:2"}}),
    );
    check(
        Ask::Delete,
        &format!("DELETE {claims}/worker application/json"),
        json!({"propagationPolicy": "Background"}),
    );
    let log = "GET /api/v1/namespaces/shop/pods/p/log container=main";
    let bounds = "limitBytes=1048576";
    check(Ask::Logs, &format!("{log}&{bounds}&tailLines=5"), none.clone());
    let previous = format!("{log}&{bounds}&previous=true&tailLines=5");
    check(Ask::PreviousLogs, &previous, none.clone());
    check(Ask::FollowLines, &format!("{log}&follow=true&timestamps=true"), none.clone());
    check(Ask::PreviousLines, &format!("{log}&previous=true&timestamps=true"), none.clone());
    let nats = "GET /api/v1/namespaces/nats";
    let service = format!("{nats}/services/http:nats:8222/proxy/jsz acc=%24G");
    check(Ask::Service, &service, none.clone());
    check(Ask::Pod, &format!("{nats}/pods/http:nats-0:8222/proxy/varz"), none.clone());
    check(
        Ask::May,
        "POST /apis/authorization.k8s.io/v1/subjectaccessreviews application/json",
        json!({"kind": "SubjectAccessReview", "spec": {
            "user": "dev", "groups": ["team"],
            "resourceAttributes": {"resource": "pods", "verb": "get"},
        }}),
    );
    check(Ask::Version, "GET /version", none);
}

/// The API server's own refusal.
fn status(code: u16, reason: &str, message: &str) -> String {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": message,
    });
    status.to_string()
}

/// Returns what a request comes to if the server answers this.
fn answered(ask: Ask, code: u16, body: &str) -> Result<Value> {
    let (body, asked) = (body.to_owned(), Arc::new(Mutex::new(0)));
    let counted = Arc::clone(&asked);
    let found = block_on(async move {
        let answer = move |_: &str| {
            *counted.lock().unwrap() += 1;
            (code, body.clone())
        };
        ask.of(&loopback::cluster(answer).await?).await
    });
    // Callers decide for themselves whether to ask again.
    assert!(*asked.lock().unwrap() <= 1, "{ask:?}");
    found
}

#[test]
fn what_is_there_comes_as_the_api_server_says_it() {
    let check = |ask: Ask, body: Value, expected: Value| {
        let found = answered(ask, 200, &body.to_string());
        assert_eq!(found.unwrap(), expected, "{ask:?}: {body}");
    };
    // Nothing is added to an object, and no field is lost that this client does not know.
    let object = json!({"kind": "X", "metadata": {"later": 1, "ownerReferences": [{"uid": "u"}]}});
    for ask in [Ask::Get, Ask::Apply, Ask::WouldBe, Ask::Create, Ask::Patch] {
        check(ask, object.clone(), object.clone());
        check(ask, json!({"spec": {}}), json!({"spec": {}}));
    }
    // List items are told what they are, if they do not say so.
    let own = json!({"apiVersion": "v2", "kind": "Own", "metadata": {"later": 1}});
    check(
        Ask::List,
        json!({"kind": "PodList", "items": [{"spec": {}}, own]}),
        json!([{"apiVersion": "v1", "kind": "Pod", "spec": {}}, own]),
    );
    check(Ask::List, json!({"items": null}), json!([]));
    // A server that sends more than was asked for does not make us show more.
    check(
        Ask::ListMetadata,
        json!({"items": [{"kind": "PartialObjectMetadata", "metadata": {"name": "s"},
            "data": {"p": "c2VjcmV0"}}]}),
        json!([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}]),
    );
    let event = |field: &str, time: &str| json!({"apiVersion": "v1", "kind": "Event", field: time});
    let (first, last) = (event("lastTimestamp", "2026-01-01"), event("eventTime", "2026-01-02"));
    check(Ask::Events, json!({"items": [last, first]}), json!([first, last]));
    check(Ask::Delete, json!({"kind": "Status", "status": "Success"}), json!(true));
    check(Ask::May, json!({"status": {"allowed": true}}), json!(true));
    check(Ask::May, json!({"status": {"allowed": false, "denied": true}}), json!(false));
    check(Ask::Version, json!({"gitVersion": "v1.34.4"}), json!("v1.34.4"));
}

#[test]
fn what_is_not_there_is_no_error_where_one_looks_for_it() {
    let check = |ask: Ask, expected: Option<Value>| {
        // An object that is not there, and a kind that the API server does not serve.
        for body in [status(404, "NotFound", "not found"), "404 page not found\n".to_owned()] {
            match (&expected, answered(ask, 404, &body)) {
                (Some(expected), found) => assert_eq!(&found.unwrap(), expected, "{ask:?}"),
                (None, found) => {
                    let error = found.unwrap_err();
                    assert_eq!(Refused::of(&error).unwrap().code, 404, "{ask:?}: {error:#}");
                }
            }
        }
    };
    check(Ask::Get, Some(Value::Null));
    check(Ask::List, Some(json!([])));
    check(Ask::ListMetadata, Some(json!([])));
    check(Ask::Events, Some(json!([])));
    check(Ask::Delete, Some(json!(false)));
    // Without a namespace nothing can be written, and the error says so.
    for ask in [Ask::Apply, Ask::WouldBe, Ask::Create, Ask::Patch, Ask::Logs, Ask::May] {
        check(ask, None);
    }
    // The target behind the proxy does not exist: its own answer.
    let found = answered(Ask::Service, 404, "no such path").unwrap();
    assert_eq!(found, json!([404, "no such path"]));
}

#[test]
fn a_refusal_keeps_its_code_reason_and_words() {
    let check = |ask: Ask, context: &str| {
        let no = "pods is forbidden: User \"dev\" cannot do it";
        let error = answered(ask, 403, &status(403, "Forbidden", no)).unwrap_err();
        let expected =
            Refused { code: 403, reason: "Forbidden".to_owned(), message: no.to_owned() };
        assert_eq!(Refused::of(&error), Some(&expected), "{ask:?}");
        assert_eq!(format!("{error:#}"), format!("{context}{no}"), "{ask:?}");
        let error = answered(ask, 503, &status(503, "ServiceUnavailable", "later")).unwrap_err();
        assert_eq!(format!("{error:#}"), format!("{context}later"), "{ask:?}");
        let error = answered(ask, 422, &status(422, "Invalid", "")).unwrap_err();
        assert_eq!(format!("{error:#}"), format!("{context}HTTP status 422"), "{ask:?}");
    };
    check(Ask::Get, "cannot read Deployment worker: ");
    check(Ask::List, "cannot list pods: ");
    check(Ask::ListMetadata, "cannot list secrets: ");
    check(Ask::Events, "cannot list events: ");
    check(Ask::Apply, "cannot apply EventDrivenService worker: ");
    check(Ask::WouldBe, "");
    check(Ask::Create, "cannot create a EventDrivenService: ");
    check(Ask::Patch, "cannot change EventDrivenService worker: ");
    check(Ask::Delete, "cannot delete EventDrivenService worker: ");
    check(Ask::Logs, "cannot read the log of p main: ");
    check(Ask::FollowLines, "");
    check(Ask::May, "cannot ask what others may do (SubjectAccessReview): ");
    check(Ask::Version, "");
}

#[test]
fn what_cannot_be_read_is_an_error_and_no_refusal() {
    let check = |ask: Ask, body: &str, expected: &str| {
        let error = answered(ask, 200, body).unwrap_err();
        assert_eq!(Refused::of(&error), None, "{ask:?}");
        let text = format!("{error:#}");
        assert!(text.starts_with(expected), "{ask:?}: {text}");
    };
    check(Ask::Get, "<html>", "cannot read Deployment worker: ");
    check(Ask::List, "{\"items\": [", "cannot list pods: ");
    check(Ask::Apply, "", "cannot apply EventDrivenService worker: ");
    check(Ask::CreateUnknown, "{}", "this kind is not known here");
}

/// Returns what a watch came to, and what it was shown: the server gives these answers in turn,
/// each to a read of what exists or to a wait for what comes, and repeats the last one.
fn watched(answers: &[(u16, String)], until: Option<&str>) -> (Result<Option<()>>, Vec<Value>) {
    let (answers, asked) = (answers.to_vec(), Mutex::new(0_usize));
    let mut shown = Vec::new();
    let found = block_on(async {
        let cluster = loopback::requests(move |head, _| {
            let line = line(head);
            let waits = "&resourceVersion=7&timeoutSeconds=60&watch=true";
            let path = "/apis/platform.bizmatters.io/v1alpha1/namespaces/shop/eventdrivenservices";
            let look = format!("GET {path} fieldSelector=metadata.name%3Dworker");
            assert!([look.clone(), look.clone() + waits].contains(&line), "{line}");
            let mut asked = asked.lock().unwrap();
            let answer = answers.get(*asked).or(answers.last()).unwrap();
            *asked += 1;
            answer.clone()
        });
        let cluster = cluster.await.unwrap();
        let limit = Duration::from_millis(900);
        let judge = |object: Option<&Value>| {
            let said = object.map_or(Value::Null, |object| object["says"].clone());
            shown.push(said.clone());
            (until.map(Value::from) == Some(said)).then_some(())
        };
        cluster.watch_until(&kinds::CLAIM, Some("shop"), "worker", limit, judge).await
    });
    (found, shown)
}

#[test]
fn a_watch_looks_at_once_and_at_every_change() {
    let there = |items: Value| {
        (200, json!({"metadata": {"resourceVersion": "7"}, "items": items}).to_string())
    };
    let object = |says: &str| json!({"metadata": {"name": "worker"}, "says": says});
    let event =
        |kind: &str, says: &str| json!({"type": kind, "object": object(says)}).to_string() + "\n";
    let check = |answers: &[(u16, String)], until: Option<&str>, seen: Value, expected: bool| {
        let (found, shown) = watched(answers, until);
        assert_eq!(found.unwrap().is_some(), expected, "{answers:?}");
        let shown = shown.get(..seen.as_array().unwrap().len()).map(<[_]>::to_vec);
        assert_eq!(shown.map(Value::from), Some(seen), "{answers:?}");
    };
    let empty = there(json!([]));
    check(&[there(json!([object("a")]))], Some("a"), json!(["a"]), true);
    // Nothing exists at first; then it is created, changed and deleted.
    let changes = event("ADDED", "a") + &event("MODIFIED", "b") + &event("DELETED", "b");
    check(&[empty.clone(), (200, changes.clone())], Some("b"), json!([null, "a", "b"]), true);
    // The watch ends, as watches do: it looks again from the start.
    let again = [empty.clone(), (200, changes), there(json!([object("c")]))];
    check(&again, Some("c"), json!([null, "a", "b", null, "c"]), true);
    // So it does when the API server restarts, has forgotten the version, or is busy.
    let gone =
        json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}});
    for passing in [
        (500, status(500, "InternalError", "")),
        (429, status(429, "TooManyRequests", "")),
        (200, "{".to_owned()),
    ] {
        let answers = [passing, there(json!([object("a")]))];
        check(&answers, Some("a"), json!(["a"]), true);
    }
    let answers = [empty.clone(), (200, gone.to_string() + "\n"), there(json!([object("a")]))];
    check(&answers, Some("a"), json!([null, "a"]), true);
    // A kind that is not served yet is an object that does not exist yet.
    let answers = [(404, "404 page not found".to_owned()), there(json!([object("a")]))];
    check(&answers, Some("a"), json!([null, "a"]), true);
    // Until the limit runs out.
    check(&[empty.clone(), (200, String::new()), empty], Some("a"), json!([null]), false);
    // What is refused stays refused.
    let (refused, _) = watched(&[(403, status(403, "Forbidden", "no"))], None);
    let refused = refused.unwrap_err();
    assert_eq!(format!("{refused:#}"), "cannot watch EventDrivenService worker: no");
}

#[test]
fn one_asks_again_for_what_passes_and_not_for_what_stays() {
    let check = |answers: Vec<Result<Option<u8>, u16>>, expected: Result<Option<u8>, u16>| {
        let mut left = answers.clone().into_iter();
        let found = block_on(Cluster::until(
            Duration::from_millis(35),
            Duration::from_millis(10),
            async || match left.next().unwrap_or(Ok(None)) {
                Ok(found) => Ok(found),
                Err(code) => {
                    let (reason, message) = (String::new(), String::new());
                    Err(Refused { code, reason, message }.into())
                }
            },
        ));
        let found = found.map_err(|error| Refused::of(&error).unwrap().code);
        assert_eq!(found, expected, "{answers:?}");
    };
    check(vec![Ok(None), Ok(Some(1))], Ok(Some(1)));
    check(vec![Err(500), Err(429), Ok(Some(1))], Ok(Some(1)));
    check(vec![Err(403), Ok(Some(1))], Err(403));
    check(vec![], Ok(None));
    check(vec![Err(503); 9], Err(503));
}
