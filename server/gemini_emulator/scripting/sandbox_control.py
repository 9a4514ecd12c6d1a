"""What tests and scripts say about sandboxes and file search stores; see `EmulatorControl`."""

import base64

from ..service import Service


class SandboxControl:
    """Steers environments and stores of one emulated service."""

    service: Service

    def expire_environment(self, environment_id: str) -> None:
        """Its sandbox is gone: 404 from now on."""
        with self.service.lock:
            self.service.environments.all[environment_id].is_gone = True

    def add_environment_file(self, environment_id: str, path: str, data: bytes | str) -> None:
        """A file in a sandbox, at any path whatever; a str is base64."""
        raw = base64.b64decode(data) if isinstance(data, str) else data
        with self.service.lock:
            self.service.environments.all[environment_id].files[path] = raw

    @property
    def snapshot_seconds(self) -> float:
        """How long after the end of a run its environment's files can be read."""
        return self.service.environments.snapshot_seconds

    @snapshot_seconds.setter
    def snapshot_seconds(self, seconds: float) -> None:
        self.service.environments.snapshot_seconds = seconds

    def fail_next_document(self, times: int = 1) -> None:
        """The next documents that stores are given cannot be taken in."""
        with self.service.lock:
            self.service.stores.failing += [True] * times

    @property
    def pending_document_looks(self) -> int:
        """For how many looks a new document of a store is still being taken in."""
        return self.service.stores.pending_looks

    @pending_document_looks.setter
    def pending_document_looks(self, looks: int) -> None:
        self.service.stores.pending_looks = looks
