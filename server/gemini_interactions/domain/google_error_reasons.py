"""Why Google refuses with 403: the reasons of its ErrorInfo, each with its own way out.

The reasons are those of google.rpc's catalogue (googleapis/api/error_reason.proto) and of the
Gemini API. A 403 is about the key itself in two of them only; for all others a new key of the
same project would be refused too.
"""

from __future__ import annotations

import re

from .quoted_text import quoted

_WHO_ASKS = "Ask whoever owns the key's project, or use a key of another project."

REASONS: dict[str, str] = {
    "SERVICE_DISABLED": (
        "The Gemini API is not enabled in this key's project. Enable the Generative Language API "
        "there (console.cloud.google.com/apis/library, or aistudio.google.com does it for new "
        "projects), wait a few minutes, then send the same again."
    ),
    "API_KEY_SERVICE_BLOCKED": (
        "This API key is restricted to other APIs. Add the Generative Language API to the key's "
        "API restrictions (console.cloud.google.com/apis/credentials), then send the same again."
    ),
    "API_KEY_HTTP_REFERRER_BLOCKED": (
        "This API key may only be used from certain websites (HTTP referrers), and a server has "
        "none. Change the key's application restrictions to none or to IP addresses "
        "(console.cloud.google.com/apis/credentials), then send the same again."
    ),
    "API_KEY_IP_ADDRESS_BLOCKED": (
        "This API key may not be used from this machine's IP address. Add the address to the key's "
        "application restrictions (console.cloud.google.com/apis/credentials), or send through "
        "the network that is allowed (HTTPS_PROXY)."
    ),
    "API_KEY_ANDROID_APP_BLOCKED": (
        "This API key may only be used by certain Android apps. Change its application "
        "restrictions (console.cloud.google.com/apis/credentials), then send the same again."
    ),
    "API_KEY_IOS_APP_BLOCKED": (
        "This API key may only be used by certain iOS apps. Change its application restrictions "
        "(console.cloud.google.com/apis/credentials), then send the same again."
    ),
    "CONSUMER_SUSPENDED": (
        "Google has suspended the project of this API key. The project's owner finds the reason, "
        f"and the way to appeal, in the Google Cloud console. {_WHO_ASKS}"
    ),
    "CONSUMER_INVALID": (
        "The project of this API key is deleted or cannot be used. Choose another project in "
        "AI Studio or the Google Cloud console."
    ),
    "BILLING_DISABLED": (
        "Billing is not enabled for this key's project. Enable it "
        "(console.cloud.google.com/billing), wait a few minutes, then send the same again."
    ),
    "USER_PROJECT_DENIED": (
        "The account may not use the quota project it names. Grant it the role Service Usage "
        "Consumer there, or set another with `gcloud auth application-default set-quota-project`."
    ),
    "IAM_PERMISSION_DENIED": (
        "The account that Vertex AI is asked with lacks a permission in the project of "
        "GOOGLE_CLOUD_PROJECT. Grant it the role Vertex AI User (roles/aiplatform.user) there, "
        "or name the right project, then send the same again."
    ),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": (
        "The credentials in use do not cover Vertex AI. Run `gcloud auth application-default "
        "login` again, or use a service account with the scope cloud-platform."
    ),
    "LOCATION_POLICY_VIOLATED": (
        "The organization's policy does not allow this location. Set GOOGLE_CLOUD_LOCATION to one "
        "that is allowed, and restart the server."
    ),
    "SECURITY_POLICY_VIOLATED": (
        "A policy of the organization (VPC Service Controls) blocks the call. Ask its "
        "administrator to allow this network or account."
    ),
    "LEAKED": (
        "Google has blocked this API key because it was found in public (reported as leaked). "
        "Create a new key at aistudio.google.com/apikey, run `gemini-interactions-mcp key` in a "
        "terminal to save it, and delete the old one."
    ),
}

_WORDS = (
    (re.compile(r"reported as leaked", re.I), "LEAKED"),
    (re.compile(r"has not been used in project|it is disabled", re.I), "SERVICE_DISABLED"),
    (re.compile(r"IP address restriction", re.I), "API_KEY_IP_ADDRESS_BLOCKED"),
    (re.compile(r"referer|referrer", re.I), "API_KEY_HTTP_REFERRER_BLOCKED"),
    (re.compile(r"has been suspended", re.I), "CONSUMER_SUSPENDED"),
    (re.compile(r"Permission '[\w.]+' denied|aiplatform\.", re.I), "IAM_PERMISSION_DENIED"),
    (re.compile(r"requests? to this API .* (are|is) blocked", re.I), "API_KEY_SERVICE_BLOCKED"),
    (
        re.compile(r"billing (to be|must be|is not) enabled|requires billing", re.I),
        "BILLING_DISABLED",
    ),
)


def reason_of(named: str, said: str) -> str:
    """The reason of a refusal: the one it names, else what Google's sentence is known by."""
    for pattern, reason in _WORDS[:1]:  # a leaked key comes without any other sign
        if pattern.search(said):
            return reason
    if named in REASONS:
        return named
    return next((reason for pattern, reason in _WORDS if pattern.search(said)), named)


def denial(reason: str, said: str) -> str:
    """What a model reads of a 403: the problem, then the way out."""
    if sentence := REASONS.get(reason):
        return sentence
    words = quoted(said).removesuffix(".")
    quote = f': "{words}"' if words else ""
    return (
        f"Google refuses this to the API key in use ({reason or 'permission denied'}){quote}. "
        "Check in AI Studio or the Google Cloud console what the key's project may use, or leave "
        "out what needs the permission (a model, a tool, a file)."
    )
