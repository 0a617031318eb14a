//! An API server on loopback that answers as a test says.

use std::sync::Arc;

use anyhow::Result;
use eds_cluster::Cluster;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A cluster whose server gives a status and a body for each path with its query. It ends with the
/// test's runtime.
pub(crate) async fn cluster(
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
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
async fn serve(stream: TcpStream, answer: Arc<impl Fn(&str) -> (u16, String)>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        while !line.trim().is_empty() {
            line.clear();
            stream.read_line(&mut line).await?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        stream.read_exact(&mut vec![0; length]).await?;
        let (code, body) = answer(&path);
        let head = format!(
            "HTTP/1.1 {code} It\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await?;
        stream.flush().await?;
    }
}
