//! CLIF in, disassembly out: each file of `filetests/thumb` is one small question.

mod thumb_support;

use codegen::thumb::Options;
use thumb_support::compile;

#[test]
fn disassembly() {
    insta::glob!("filetests/thumb/*.clif", |path| {
        let input = std::fs::read_to_string(path).expect("the test file");
        let options = Options {
            check_allocation: true,
            ..Options::default()
        };
        let mut out = String::new();
        for function in compile(&input, &options) {
            out += &format!(
                "{}: frame {} B, {} spills\n",
                function.name, function.frame.size, function.frame.spill_slots
            );
            out += &function.disassembly();
        }
        let shown = format!("--- input\n{input}--- thumb\n{out}");
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(shown);
        });
    });
}
