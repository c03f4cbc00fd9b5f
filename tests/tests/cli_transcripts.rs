//! Command lines and exactly what they print. `TRYCMD=overwrite` renews the
//! transcripts.

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .register_bin("s2c", tests::s2c_path())
        .env("COLUMNS", "100")
        .case("cli/*.trycmd");
}
