"""How jupyter_client gets its warm kernels; see `nofcore.report.warm`."""

from importlib.metadata import EntryPoint

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Unicode

from .warm import Forked

NAME = "nofcore-warm"
KILL_TIMEOUT = 0.1  # seconds


class WarmProvisioner(LocalProvisioner):
    """Has kernels forked by a server; starts them afresh if there is no server at the address."""

    address = Unicode(help="the socket of a nofcore.report.kernel_server").tag(config=True)

    async def launch_kernel(self, cmd: list[str], **options):
        try:
            self.process = Forked(self.address, cmd, options["env"], options.get("cwd"))
        except OSError:
            return await super().launch_kernel(cmd, **options)
        self.pid, self.cwd = self.process.pid, options.get("cwd")
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        """As the original, and wait until the kernel has gone; the manager would look only after a tenth of a second."""
        await super().kill(restart)
        if isinstance(self.process, Forked):
            self.process.poll(KILL_TIMEOUT)


def kernel_provisioner(address: str) -> dict:
    """The part of a kernel specification that asks for the provisioner."""
    entry = EntryPoint(NAME, f"{__name__}:{WarmProvisioner.__name__}", KernelProvisionerFactory.GROUP_NAME)
    KernelProvisionerFactory.instance().provisioners[NAME] = entry
    return {"kernel_provisioner": {"provisioner_name": NAME, "config": {"address": address}}}
