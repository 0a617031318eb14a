//! What the pods printed, whatever became of their containers, from an API server on loopback.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use anyhow::Result;
use eds_cluster::Cluster;
use eds_cluster::lines::Lines;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
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

async fn serve(stream: TcpStream) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let body = answer(line.split(' ').nth(1).unwrap_or_default());
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).await?;
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await?;
        stream.flush().await?;
    }
}

#[tokio::test]
async fn each_line_of_each_life_once() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let accept = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let cluster = Cluster::at(&format!("http://{address}"))?;
    let mut lines = Lines::new(&cluster, "shop", "worker", "main");
    lines.look().await?;
    // Long enough for the streams to end and be opened again, and for nothing to come twice.
    sleep(Duration::from_secs(2)).await;
    let found = lines.so_far();
    let found: Vec<&str> = found.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(found, ["started", "done 1", "started", "done 2"]);
    accept.abort();
    Ok(())
}
