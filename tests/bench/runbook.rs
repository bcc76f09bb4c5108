//! The runbooks that are measured.

use std::fmt::Write;

const HEAD: &str = "version: 1\nname: measured\n";

/// Steps that do nothing, each needing the one before.
pub fn chain(steps: u32) -> String {
    let mut text = format!("{HEAD}steps:\n");
    for step in 0..steps {
        writeln!(text, "  - id: s{step}").unwrap();
        if step > 0 {
            writeln!(text, "    needs: [s{}]", step - 1).unwrap();
        }
        text.push_str("    do: { wait: { duration: 0s } }\n");
    }
    text
}

/// Steps that do nothing and need nothing.
pub fn fan(steps: u32) -> String {
    let mut text = format!("{HEAD}steps:\n");
    for step in 0..steps {
        writeln!(text, "  - id: s{step}\n    do: {{ wait: {{ duration: 0s }} }}").unwrap();
    }
    text
}

/// What people write: descriptions, several needs, expressions here and there, outputs of earlier steps, conditions.
pub fn realistic(steps: u32) -> String {
    let mut text = format!(
        "{HEAD}parameters:\n  host: {{ type: hostname, default: api.contoso.com }}\n  pause: {{ type: duration, default: 5s }}\nsteps:\n"
    );
    for step in 0..steps {
        writeln!(text, "  - id: s{step}").unwrap();
        let needs: Vec<String> =
            [1, 7].into_iter().filter(|back| *back <= step).map(|back| format!("s{}", step - back)).collect();
        if !needs.is_empty() {
            writeln!(text, "    needs: [{}]", needs.join(", ")).unwrap();
        }
        match step % 10 {
            0 => text.push_str("    do: { http.request: { url: \"https://${{ params.host }}/status\" } }\n"),
            3 => text.push_str("    do: { wait: { duration: \"${{ params.pause }}\" } }\n"),
            5 => text.push_str("    when: \"${{ mode == 'unplanned' }}\"\n    do: { wait: { duration: 1s } }\n"),
            7 => {
                writeln!(text, "    description: tell what came back\n    retry: {{ attempts: 3, delay: 10s }}")
                    .unwrap();
                writeln!(
                    text,
                    "    do: {{ command: {{ argv: [echo, \"${{{{ steps.s{}.status }}}}\"], read_only: true }} }}",
                    step - 7
                )
                .unwrap();
            }
            _ => text.push_str("    timeout: 2m\n    do: { wait: { duration: 1s } }\n"),
        }
    }
    text
}
