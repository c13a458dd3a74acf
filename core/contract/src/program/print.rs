//! A program as text: one line per input, operation and output.

use std::fmt;

use super::Program;

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (value, source) in self.inputs().iter().enumerate() {
            writeln!(f, "%{value}: {} = {source}", self.types()[value])?;
        }
        let mut next = self.inputs().len();
        for node in self.nodes() {
            let results = next..next + node.op.results();
            next = results.end;
            let made: Vec<String> =
                results.map(|value| format!("%{value}: {}", self.types()[value])).collect();
            let args: Vec<String> = node.args.iter().map(|arg| format!("%{arg}")).collect();
            writeln!(f, "{} = {}({})", made.join(", "), node.op, args.join(", "))?;
        }
        for output in self.outputs() {
            writeln!(f, "{} <- %{}", output.role, output.value)?;
        }
        let cost = self.cost();
        write!(
            f,
            "# {} operations, {} elements produced, {} at most at once, {} multiplications",
            cost.operations, cost.produced, cost.peak, cost.multiplications
        )
    }
}
