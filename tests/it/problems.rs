//! scratch
#[test]
fn scratch() {
    for file in ["/tmp/bad.yaml", "/tmp/long.yaml", "/tmp/bomb.yaml"] {
        let bytes = std::fs::read(file).unwrap();
        let t = std::time::Instant::now();
        let text = lifeboat::runbook::check("bad.yaml", &bytes).unwrap_err();
        eprintln!("check {:?}", t.elapsed());
        let t = std::time::Instant::now();
        let text = text.render(false);
        eprintln!("render {:?}", t.elapsed());
        println!("{}", &text[..text.len().min(9000)]);
    }
}
