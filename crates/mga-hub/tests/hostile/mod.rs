//! A hub that wants what it should not get, or that never ends: who sees the token, and that everything comes to an end.

use std::time::{Duration, Instant};

use mga_hub::{Error, Repo};
use mga_testing::stand_in::{Fault, Request, StandIn, safetensors};

use crate::{Bench, FILE, repo};

/// Logins that came with requests to a server.
fn logins(server: &StandIn) -> Vec<String> {
    let login = |request: &Request| request.headers.get("authorization").cloned();
    server.requests().iter().filter_map(login).collect()
}

#[test]
fn the_token_goes_to_the_hubs_own_origin_alone() {
    let foreign = StandIn::start();
    foreign.model("timm/x", &[(FILE, &safetensors(10))]);
    for method in ["HEAD", "GET", "listing"] {
        let bench = Bench::new();
        bench.server.model("timm/x", &[(FILE, &safetensors(10))]);
        let hub = bench.hub_with(|settings| settings.token = Some("secret".into()));
        // Another port of the same machine is another origin, as is another name of it.
        let elsewhere = match method {
            "listing" => format!("{}/api/models/timm/x/revision/main", foreign.url()),
            _ => format!("{}/timm/x/resolve/main/{FILE}", foreign.url().replace("127.0.0.1", "localhost")),
        };
        bench.server.fault(if method == "HEAD" { "HEAD" } else { "GET" }, "", Fault::Elsewhere(elsewhere), 1);
        // What comes of it is one thing; that the other server was asked without the token is what counts.
        let _ = if method == "listing" { hub.files(&repo()).map(|_| ()) } else { hub.file(&repo(), FILE).map(|_| ()) };
        assert_eq!(logins(&foreign), [""; 0], "{method}");
        assert!(logins(&bench.server).iter().all(|login| login == "Bearer secret"), "{method}");
        assert!(!logins(&bench.server).is_empty(), "{method}");
    }
    assert!(foreign.connections() > 0);
}

#[test]
fn the_token_does_not_come_back_from_elsewhere() {
    let (bench, foreign) = (Bench::new(), StandIn::start());
    bench.server.model("timm/x", &[(FILE, &safetensors(10))]);
    // The hub sends to the other server, which sends to itself under the path that it likes.
    bench.server.fault("GET", "/api/", Fault::Elsewhere(format!("{}/first", foreign.url())), 1);
    foreign.fault("GET", "/first", Fault::Elsewhere("//".to_owned() + &foreign.url()[7..] + "/second"), 1);
    let hub = bench.hub_with(|settings| settings.token = Some("secret".into()));
    assert!(hub.files(&repo()).is_err());
    assert_eq!(foreign.requests().len(), 2);
    assert_eq!(logins(&foreign), [""; 0]);
}

#[test]
fn a_listing_has_no_pages_to_follow() {
    let (bench, foreign) = (Bench::new(), StandIn::start());
    bench.server.model("timm/x", &[(FILE, &safetensors(10)), ("a/b.txt", b"x")]);
    bench.server.next_page(&format!("{}/api/next", foreign.url()));
    let hub = bench.hub_with(|settings| settings.token = Some("secret".into()));
    assert_eq!(hub.files(&repo()).unwrap(), ["a/b.txt", FILE]);
    assert_eq!((bench.server.requests().len(), foreign.connections()), (1, 0));
}

#[test]
fn a_login_in_the_endpoint_is_used_and_never_shown() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(10))]);
    let with_login = bench.server.url().replace("http://", "http://me:s3cr%40t@");
    let hub = bench.hub_with(|settings| settings.endpoint = with_login.clone().into());
    hub.files(&repo()).unwrap();
    hub.file(&repo(), FILE).unwrap();
    // `me:s3cr@t` in base64.
    assert!(logins(&bench.server).iter().all(|login| login == "Basic bWU6czNjckB0"), "{:?}", logins(&bench.server));
    let requests = bench.server.requests();
    let contents = requests.iter().filter(|request| request.path.starts_with("/cdn/"));
    assert!(contents.clone().count() > 0 && contents.clone().all(|r| !r.headers.contains_key("authorization")));

    let mut said = vec![format!("{hub:?}"), format!("{:?}", hub.settings())];
    for fault in [
        Fault::Status(500, "", "no"),
        Fault::Status(403, "", "no"),
        Fault::Status(404, "", "no"),
        Fault::Status(418, "", "no"),
        Fault::Closed,
        Fault::Elsewhere("/timm/x".to_owned()),
        Fault::Elsewhere("http://".to_owned()),
    ] {
        bench.server.fault("GET", "/api/", fault.clone(), 20);
        bench.server.fault("HEAD", "", fault, 20);
        said.push(hub.files(&Repo::model("timm/y").unwrap()).unwrap_err().to_string());
        said.push(hub.file(&Repo::model("timm/y").unwrap(), FILE).unwrap_err().to_string());
        bench.server.mend();
    }
    for odd in ["me:s3cr@nowhere", "ftp://me:s3cr@h", "https://me:s3cr/et@h", "http://me:s3cr@", "http://me:s3cr@:x"] {
        let hub = bench.hub_with(|settings| settings.endpoint = odd.to_owned().into());
        let error = hub.file(&Repo::model("timm/y").unwrap(), FILE).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
        said.push(error.to_string());
    }
    said.extend(bench.notes.lines.lock().unwrap().iter().cloned());
    for line in said {
        assert!(!line.contains("s3cr"), "{line}");
    }
}

#[test]
fn bodies_and_lists_without_end_come_to_one() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(10))]);
    let started = Instant::now();
    for fault in [Fault::Endless(403), Fault::Trickle(403, Duration::from_millis(50))] {
        bench.server.fault("GET", "", fault, 2);
        assert!(matches!(bench.hub().file(&repo(), FILE), Err(Error::Denied { status: 403, .. })));
        assert!(matches!(bench.hub().files(&repo()), Err(Error::Denied { status: 403, .. })));
    }
    bench.server.fault("GET", "/api/", Fault::Endless(200), 1);
    let message = bench.hub().files(&repo()).unwrap_err().to_string();
    assert!(message.contains("more than 16 MiB"), "{message}");
    bench.server.fault("GET", "/api/", Fault::Trickle(200, Duration::from_millis(50)), 1);
    let message = bench.hub().files(&repo()).unwrap_err().to_string();
    assert!(message.contains("did not end within 2.4 s"), "{message}");
    // More than the hub said the file has.
    bench.server.fault("GET", "/cdn/", Fault::Endless(200), 1);
    let message = bench.hub().file(&repo(), FILE).unwrap_err().to_string();
    assert!(message.contains("more than the"), "{message}");
    assert_eq!(bench.left(), [""; 0]);
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn redirects_without_end_come_to_one() {
    let bench = Bench::new();
    bench.server.fault("HEAD", "", Fault::Elsewhere("/round".to_owned()), 1000);
    bench.server.fault("GET", "", Fault::Elsewhere("/round".to_owned()), 1000);
    for error in [bench.hub().file(&repo(), FILE).unwrap_err(), bench.hub().files(&repo()).unwrap_err()] {
        assert!(error.to_string().contains("in circles"), "{error}");
    }
    assert!(bench.server.requests().len() < 30);
}

#[test]
fn a_server_without_ranges_that_always_stops_at_the_same_byte_is_given_up() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(9_000))]);
    bench.server.fault("GET", "/cdn/", Fault::Severed(5_000), 1000);
    let message = bench.hub().file(&repo(), FILE).unwrap_err().to_string();
    assert!(message.contains("attempts"), "{message}");
    // The first brought something, and the next two nothing more.
    assert_eq!(bench.gets().len(), 3);
}

#[test]
fn an_attempt_that_brings_little_is_not_made_for_ever() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(9_000))]);
    // A byte more each time.
    bench.server.fault("GET", "/cdn/", Fault::Dropped(1), 5_000);
    let hub = bench.hub_with(|settings| settings.backoff = Duration::ZERO);
    let message = hub.file(&repo(), FILE).unwrap_err().to_string();
    assert!(message.contains("1000 attempts") && bench.gets().len() == 1000, "{message}");
}
