//! What the pods printed, whatever became of their containers, from an API server on loopback.

mod loopback;

use std::time::Duration;

use anyhow::Result;
use eds_cluster::lines::Lines;
use serde_json::json;
use tokio::time::sleep;

/// A pod whose container was killed before anybody read its log, and printed the same line again.
fn answer(path: &str) -> String {
    let pod = json!({
        "metadata": {"name": "worker-1", "namespace": "shop"},
        "status": {"phase": "Running", "containerStatuses": [{"name": "main", "restartCount": 1}]},
    });
    if path.contains("/log") && path.contains("previous=true") {
        "2026-01-01T00:00:01.5Z started\n2026-01-01T00:00:02Z done 1\n".to_owned()
    } else if path.contains("/log") {
        "2026-01-01T00:00:04Z started\n2026-01-01T00:00:05Z done 2\n".to_owned()
    } else if path.contains("/pods/worker-1") {
        pod.to_string()
    } else {
        json!({"items": [pod]}).to_string()
    }
}

#[tokio::test]
async fn each_line_of_each_life_once() -> Result<()> {
    let cluster = loopback::cluster(|path| (200, answer(path))).await?;
    let mut lines = Lines::new(&cluster, "shop", "worker", "main");
    lines.look().await?;
    // Long enough for the streams to end and be reopened, and for nothing to come twice.
    sleep(Duration::from_secs(2)).await;
    let found = lines.so_far();
    let found: Vec<&str> = found.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(found, ["started", "done 1", "started", "done 2"]);
    Ok(())
}
