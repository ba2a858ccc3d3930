//! The guide's chapter "Your service in a world, in ten minutes" shows what is tested here.

#[test]
fn the_chapter_shows_these_files_as_they_are() {
    let chapter = include_str!("../../../src/guide/ten_minutes.md");
    for file in [
        include_str!("../src/lib.rs"),
        include_str!("in_a_world.rs"),
        include_str!("in_turmoil.rs"),
    ] {
        let code = file.split_once("\n\n").expect("it begins with what it is").1.trim();
        assert!(chapter.contains(code), "the chapter does not show this:\n{code}");
    }
}
