//! HTTPS, with an authority of one's own.

use std::net::SocketAddr;
use std::sync::Arc;

use billfold_core::vault::WrapError;
use billfold_testkit::fake_transit::FakeTransit;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::support::{build, context, engine, key, settings};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn server_config(authority: &Authority, name: &str) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap());
    Arc::new(config.unwrap())
}

/// Takes TLS connections and passes what is in them to the fake.
async fn front(fake: &FakeTransit, config: Arc<ServerConfig>) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, behind) = (listener.local_addr().unwrap(), fake.address().replace("http://", ""));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        loop {
            let (outer, _) = listener.accept().await.unwrap();
            let Ok(mut outer) = acceptor.accept(outer).await else { continue };
            let mut inner = TcpStream::connect(&behind).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
        }
    });
    (address, tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_configured_authority_is_trusted() {
    let fake = engine().await;
    let (trusted, another) = (authority(), authority());
    for (signer, name, ca, works) in [
        (&trusted, "127.0.0.1", Some(trusted.pem()), true),
        (&another, "127.0.0.1", Some(trusted.pem()), false),
        (&trusted, "vault.example.com", Some(trusted.pem()), false),
        (&trusted, "127.0.0.1", None, false),
    ] {
        let (address, _tasks) = front(&fake, server_config(signer, name)).await;
        let changes = json!({"address": format!("https://{address}"), "ca": ca});
        let wrapper = build(&settings(&fake, &changes));
        let asked = fake.received().len();
        match wrapper.wrap(&key(), &context()).await {
            Ok(_) => assert!(works, "{name}: the certificate should not have been accepted"),
            Err(error) => {
                assert!(!works, "{error}");
                assert!(matches!(error, WrapError::Unavailable { .. }), "{error:?}");
                assert_eq!(fake.received().len(), asked, "something was sent all the same");
            }
        }
    }
}

#[tokio::test]
async fn an_authority_that_is_none_is_a_configuration_error() {
    let fake = engine().await;
    for ca in ["", "-----BEGIN CERTIFICATE-----"] {
        let registry = billfold_core::vault::WrapperRegistry::linked().unwrap();
        let error = registry.build("transit", &settings(&fake, &json!({"ca": ca}))).unwrap_err();
        assert!(error.to_string().contains("vault.settings.ca: expected certificates"), "{error}");
    }
}
