import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { TemporaryFolder } from "../test/testkit/temporary-folder.ts";

const run = promisify(execFile);

const PROGRAM = `
import { ensureNodePackages } from ${JSON.stringify(join(import.meta.dirname, "ensure-node-packages.ts"))};
await ensureNodePackages({ folders: [process.env.PROGRAMS], plugins: [process.env.PROGRAMS] }).then(
	(packages) => console.log(JSON.stringify(packages)),
	(error) => console.log(error.name + ": " + error.message),
);
`;

/** What `apt-get` is replaced with: it notes what it is asked, and "installs" what it is told to. */
const APT = `#!/bin/sh
echo "$@" >>"$CALLS"
case $* in
*--version*) exit 0 ;;
*install*) [ -z "$REFUSAL" ] || { echo "$REFUSAL" >&2; exit 100; }
	for name in containerd ctr containerd-shim-runc-v2 runc iptables-restore ip6tables-restore ip unshare mount ptp host-local portmap loopback tuning; do
		printf '#!/bin/sh\\n' >"$PROGRAMS/$name"
		/bin/chmod +x "$PROGRAMS/$name"
	done ;;
esac
`;

describe("ensureNodePackages", () => {
	let folder: TemporaryFolder;
	beforeEach(async function () {
		if (process.getuid?.() !== 0) this.skip();
		folder = new TemporaryFolder();
		folder.write("calls", "");
		folder.write("bin/apt-get", APT);
		folder.write("programs/ip", "#!/bin/sh\n");
		await run("chmod", [
			...["+x", folder.at("bin/apt-get"), folder.at("programs/ip")],
		]);
	});
	afterEach(() => folder?.[Symbol.dispose]());

	async function ensure(
		env: Readonly<Record<string, string>> = {},
	): Promise<string> {
		const { stdout } = await run(
			process.execPath,
			["--input-type=module-typescript", "-e", PROGRAM],
			{
				env: {
					PATH: folder.at("bin"),
					CALLS: folder.at("calls"),
					PROGRAMS: folder.at("programs"),
					...env,
				},
			},
		);
		return stdout.trim();
	}

	async function calls(): Promise<string> {
		const { stdout } = await run("cat", [folder.at("calls")]);
		return stdout;
	}

	it("has apt install what is missing, once, and says where it is", async () => {
		const found = JSON.parse(await ensure()) as Record<string, string>;
		expect(found["plugins"]).to.equal(folder.at("programs"));
		expect(found["path"]?.split(":")).to.include(folder.at("programs"));
		const asked = await calls();
		expect(asked).to.contain(
			"install --yes --no-install-recommends containerd runc",
		);
		await ensure();
		expect(await calls()).to.equal(asked);
	});

	it("repeats what apt said, and says how to go on", async () => {
		const answer = await ensure({ REFUSAL: "E: no such package" });
		expect(answer).to.match(/^MissingPrerequisite: The packages containerd/);
		expect(answer).to.contain('apt-get says "E: no such package"');
		expect(answer).to.contain("start a Docker daemon and install kind");
	});

	it("says what is missing where there is no apt", async () => {
		folder.remove("bin/apt-get");
		expect(await ensure()).to.match(
			/^MissingPrerequisite: A node needs what these packages have: containerd runc iptables util-linux mount containernetworking-plugins\. Install them yourself/,
		);
	});

	it("says that it takes root", async () => {
		const { stdout } = await run(
			"/usr/bin/setpriv",
			[
				...["--reuid=65534", "--regid=65534", "--clear-groups", "--"],
				...[process.execPath, "--input-type=module-typescript", "-e", PROGRAM],
			],
			{ env: { PATH: folder.at("bin"), PROGRAMS: folder.at("programs") } },
		).catch((error: unknown) => ({ stdout: String(error) }));
		expect(stdout).to.contain("needs Linux and root");
	});
});
