//! Products by row: a row alone gives the same bits as among others.

use super::super::Products;
use super::super::timing::{GateInputs, GateSizes, gate_program};
use super::*;

#[test]
fn a_row_alone_equals_the_row_among_others() {
    let sizes = GateSizes { rows: 32, input: 96, output: 72, experts: 5, rank: 3, top: 2 };
    let scales = [1.0, 0.5, 2.0, 1.0, 1.5];
    let options = RunOptions { products: Products::ByRow, seed: 0 };
    let inputs = GateInputs::new(sizes, &device());
    let run = |rows: usize, inputs: GateInputs, options: RunOptions| {
        let program = gate_program(GateSizes { rows, ..sizes }, &scales, 0.0).unwrap();
        let found = run(&program, inputs.values(), options).unwrap();
        [bits(&found[0]), bits(&found[1])]
    };
    let [output, weights] = run(32, inputs.clone(), options);
    let mut differ = 0;
    for (from, rows) in (0..32).map(|row| (row, 1)).chain([(0, 2), (5, 7), (15, 17), (1, 31)]) {
        let some = GateInputs {
            x: inputs.x.clone().narrow(0, from, rows),
            base_out: inputs.base_out.clone().narrow(0, from, rows),
            ..inputs.clone()
        };
        let [alone, alone_weights] = run(rows, some.clone(), options);
        assert!(alone == output[from * 72..][..rows * 72], "output of {rows} rows from {from}");
        assert!(alone_weights == weights[from * 5..][..rows * 5], "weights of {rows} rows from {from}");
        let [fastest, _] = run(rows, some, RunOptions::default());
        differ += usize::from(fastest != output[from * 72..][..rows * 72]);
    }
    assert!(differ > 0, "the fastest products do depend on the number of rows, so that this test can fail");
}
