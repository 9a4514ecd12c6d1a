"""Errors of the API, in both JSON shapes it is known to use."""

from typing import Any, Literal

Shape = Literal["api", "google", "list", "html", "empty"]

# The plain code the Interactions API uses for a status, and google.rpc's name for the same.
CODES = {
    400: ("invalid_request", "INVALID_ARGUMENT"),
    401: ("authentication", "UNAUTHENTICATED"),
    402: ("payment_required", "FAILED_PRECONDITION"),
    403: ("permission_denied", "PERMISSION_DENIED"),
    404: ("not_found", "NOT_FOUND"),
    408: ("deadline_exceeded", "DEADLINE_EXCEEDED"),
    409: ("aborted", "ABORTED"),
    413: ("invalid_request", "INVALID_ARGUMENT"),
    416: ("out_of_range", "OUT_OF_RANGE"),
    429: ("too_many_requests", "RESOURCE_EXHAUSTED"),
    499: ("cancelled", "CANCELLED"),
    500: ("api_error", "INTERNAL"),
    501: ("unimplemented", "UNIMPLEMENTED"),
    502: ("api_error", "UNAVAILABLE"),
    503: ("service_unavailable", "UNAVAILABLE"),
    504: ("deadline_exceeded", "DEADLINE_EXCEEDED"),
}
MESSAGES = {
    401: "The request does not have valid authentication credentials.",
    403: "The caller does not have permission.",
    404: "Requested entity was not found.",
    429: "You exceeded your current quota.",
    500: "An internal error has occurred.",
    502: "Bad gateway.",
    503: "The service is currently unavailable.",
    504: "Deadline expired before operation could complete.",
}


class ApiError(Exception):
    """One refused request: status, code and words, free of HTTP and of any one body shape."""

    def __init__(
        self,
        status: int,
        message: str | None = None,
        code: str | None = None,
        *,
        shape: Shape = "api",
        retry_after: float | str | None = None,
    ) -> None:
        self.status = status
        self.message = message or MESSAGES.get(status, "The request was refused.")
        self.code = code or CODES.get(status, ("api_error", "UNKNOWN"))[0]
        self.shape: Shape = shape
        self.retry_after = retry_after
        super().__init__(f"{status} {self.code}: {self.message}")

    def body(self) -> Any:
        """The JSON body, or text for the shapes that are not JSON."""
        if self.shape == "html":
            return (
                "<!DOCTYPE html>\n<html lang=en>\n<title>Error "
                f"{self.status}</title>\n<p><b>{self.status}.</b> {self.message}</html>\n"
            )
        if self.shape == "empty":
            return ""
        if self.shape == "api":
            return {"error": {"message": self.message, "code": self.code}}
        error: dict[str, Any] = {
            "code": self.status,
            "message": self.message,
            "status": CODES.get(self.status, ("", "UNKNOWN"))[1],
            "details": [],
        }
        if self.code.isupper():  # a google.rpc.ErrorInfo reason such as API_KEY_INVALID
            error["details"] = [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": self.code,
                    "domain": "googleapis.com",
                }
            ]
        return [{"error": error}] if self.shape == "list" else {"error": error}


def invalid(message: str) -> ApiError:
    return ApiError(400, message, "invalid_request")


def precondition(message: str) -> ApiError:
    return ApiError(400, message, "failed_precondition")


def missing() -> ApiError:
    # Google's 404 never says what is missing.
    return ApiError(404)
