//! What is made of the parser.

use crate::Place;

#[test]
fn completions_and_man_pages_know_the_commands() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = place.run(&format!("completions {shell}")).ok();
        assert!(text.contains("reclaimable"), "{shell}");
    }
    let page = place.run("man").ok();
    assert!(page.contains(".TH bitmapist 1") && page.contains("Exit codes"), "{page}");
    place.run("man .").ok();
    let page = std::fs::read_to_string(place.path("bitmapist-get.1")).unwrap();
    assert!(page.contains("bitmapist\\-get") && !place.path("bitmapist-markdown.1").exists());
}

#[test]
fn the_version_is_that_of_the_crate() {
    let place = Place::new();
    assert!(place.run("version").ok().contains(env!("CARGO_PKG_VERSION")));
    assert!(place.run("--version").ok().contains(env!("CARGO_PKG_VERSION")));
}
