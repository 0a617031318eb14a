//! An API server on loopback that answers as a test tells it to.

use std::sync::Arc;

use anyhow::Result;
use eds_cluster::Cluster;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A cluster whose server returns a status and a body for each path with its query; with the status
/// 0 it never answers. It ends with the test's runtime.
pub(crate) async fn cluster(
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> Result<Cluster> {
    requests(move |head, _| answer(head.split(' ').nth(1).unwrap_or_default())).await
}

/// The same, if the answer may depend on the whole request: its head, which is the request line and
/// the headers, and its body.
pub(crate) async fn requests(
    answer: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static,
) -> Result<Cluster> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answer)));
        }
    });
    Cluster::at(&format!("http://{address}"))
}

/// Answers one connection's requests.
async fn serve(stream: TcpStream, answer: Arc<impl Fn(&str, &str) -> (u16, String)>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let begin = head.len();
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
            let line = head.get(begin..).unwrap_or_default().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let (code, body) = answer(&head, &String::from_utf8(body)?);
        if code == 0 {
            return std::future::pending().await;
        }
        let head = format!(
            "HTTP/1.1 {code} It\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await?;
        stream.flush().await?;
    }
}
