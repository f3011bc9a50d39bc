//! Errors of the Kubernetes client in a line that a person can read.

/// What went wrong.
pub fn explain(error: &kube::Error) -> String {
    match error {
        // The reason is a word. The client puts a sentence of its own there where the answer was mere text.
        kube::Error::Api(status) if status.reason.is_empty() || status.reason.contains(' ') => {
            format!("{}: {}", status.code, status.message.trim())
        }
        kube::Error::Api(status) => format!("{} {}: {}", status.code, status.reason, status.message),
        other => with_causes(other),
    }
}

/// An error and its causes, each once: some of them repeat theirs.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn an_answer_is_told_with_its_code() {
        let status = Status { code: 403, ..Status::failure("no such right", "Forbidden") };
        assert_eq!(explain(&kube::Error::Api(status.boxed())), "403 Forbidden: no such right");
    }

    #[test]
    fn an_answer_that_is_mere_text_is_told_as_it_is() {
        let status = Status { code: 429, ..Status::failure("Too many requests.\n", "Failed to parse error data") };
        assert_eq!(explain(&kube::Error::Api(status.boxed())), "429: Too many requests.");
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = kube::Error::ReadEvents(std::io::Error::other("broken"));
        assert_eq!(explain(&error), "Error reading events stream: broken");
    }
}
