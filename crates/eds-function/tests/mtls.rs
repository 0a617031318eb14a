//! The real binary with mutual TLS and real certificates.
#![cfg(test)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use support::{Function, HUNG};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
}

/// Returns a certificate and its key as PEM.
fn leaf(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn write(directory: &Path, authority: &Authority, name: &str) {
    let (certificate, key) = leaf(authority, name);
    fs::create_dir_all(directory).expect("a directory");
    fs::write(directory.join("tls.crt"), certificate).expect("tls.crt");
    fs::write(directory.join("tls.key"), key).expect("tls.key");
    fs::write(directory.join("ca.crt"), authority.pem()).expect("ca.crt");
}

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    directory
}

/// Shakes hands and exchanges HTTP/2's first frames: TLS 1.3 only tells a client that it is refused
/// when the client reads.
async fn greet(
    address: &str,
    trusted: &Authority,
    identity: Option<(String, String)>,
    name: &str,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(chain, key).expect("an identity")
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await.expect("the function listens");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let exchange = async {
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
        let mut frame = [0; 9];
        stream.read_exact(&mut frame).await.map(|_| ())
    };
    tokio::time::timeout(HUNG, exchange)
        .await
        .expect("an answer")
        .map_err(|error: std::io::Error| error.to_string())
}

#[tokio::test]
async fn only_clients_of_the_ca_get_in() {
    let (ours, other) = (authority(), authority());
    let directory = directory("mtls");
    write(&directory, &ours, "function.example");
    let path = directory.to_str().expect("UTF-8");
    let function = Function::start(&["--tls-server-certs-dir", path]);
    let check = async |identity, expect: Result<(), &str>| {
        let got = greet(&function.address, &ours, identity, "function.example").await;
        match expect {
            Ok(()) => assert_eq!(got, Ok(())),
            Err(part) => {
                let error = got.expect_err("refused");
                assert!(error.contains(part), "{error}");
            }
        }
    };
    check(Some(leaf(&ours, "crossplane")), Ok(())).await;
    check(None, Err("CertificateRequired")).await;
    check(Some(leaf(&other, "crossplane")), Err("alert")).await;
    assert!(function.log("connection refused").contains("WARN"));

    // Plain text gets no answer at all.
    let mut plain = TcpStream::connect(&function.address).await.expect("connects");
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"\0\0"), "no HTTP/2 frame: {answer:?}");
}

#[tokio::test]
async fn renewed_certificates_are_picked_up() {
    let (first, second) = (authority(), authority());
    let directory = directory("renewed");
    write(&directory, &first, "first.example");
    let path = directory.to_str().expect("UTF-8");
    let function = Function::start(&["--tls-server-certs-dir", path]);
    let client = || Some(leaf(&first, "crossplane"));
    assert_eq!(greet(&function.address, &first, client(), "first.example").await, Ok(()));

    // Half a renewal: the certificate does not match the key, so the old pair stays.
    let (certificate, _) = leaf(&second, "second.example");
    fs::write(directory.join("tls.crt"), certificate).expect("tls.crt");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(greet(&function.address, &first, client(), "first.example").await, Ok(()));
    function.log("renewed certificates are not usable");

    write(&directory, &second, "second.example");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let client = Some(leaf(&second, "crossplane"));
    assert_eq!(greet(&function.address, &second, client, "second.example").await, Ok(()));
    let old = Some(leaf(&first, "crossplane"));
    let refused = greet(&function.address, &second, old, "second.example").await;
    assert!(refused.is_err(), "the old CA's clients are refused");
}
