import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { TemporaryFolder } from "../test/testkit/temporary-folder.ts";

const run = promisify(execFile);

const PROGRAM = `
import { ensureKubernetes } from ${JSON.stringify(join(import.meta.dirname, "ensure-kubernetes.ts"))};
await ensureKubernetes().then(
	(paths) => console.log(JSON.stringify(paths)),
	(error) => console.log(error.name + ": " + error.message),
);
`;

/** What `go` is replaced with: it notes what it builds, and "builds" it. */
const GO = `#!/bin/sh
case $1 in
version) echo "go version go1.26.0 linux/amd64" ;;
build)
	while [ "$1" != -o ]; do shift; done
	echo "$3" >>"$CALLS"
	echo "go: downloading k8s.io/api v0.0.0" >&2
	echo "k8s.io/api/core/v1" >&2
	sleep 0.1
	printf '#!/bin/sh\\n' >"$2"
	chmod +x "$2"
	;;
esac
`;

describe("ensureKubernetes", () => {
	let folder: TemporaryFolder;
	beforeEach(async () => {
		folder = new TemporaryFolder();
		folder.write("calls", "");
		await writeProgram("bin/go", GO);
		await mkdir(folder.at("empty"));
	});
	afterEach(() => folder[Symbol.dispose]());

	async function writeProgram(name: string, text: string): Promise<void> {
		folder.write(name, "");
		await writeFile(folder.at(name), text, { mode: 0o755 });
		await run("chmod", ["+x", folder.at(name)]);
	}

	async function ensure(
		env: Readonly<Record<string, string>> = {},
	): Promise<string> {
		const { stdout } = await run(
			process.execPath,
			["--input-type=module-typescript", "-e", PROGRAM],
			{
				env: {
					PATH: `${folder.at("bin")}:/usr/bin:/bin`,
					XDG_CACHE_HOME: folder.at("cache"),
					CALLS: folder.at("calls"),
					...env,
				},
			},
		);
		return stdout.trim();
	}

	async function built(): Promise<readonly string[]> {
		return (await readFile(folder.at("calls"), "utf8"))
			.split("\n")
			.slice(0, -1);
	}

	it("builds each program once, in folders named after their versions", async () => {
		const paths = JSON.parse(await ensure()) as Record<string, string>;
		expect(Object.keys(paths)).to.have.members([
			...["etcd", "kube-apiserver", "kubectl"],
		]);
		expect(paths["kubectl"]).to.match(
			/\/lateen\/kubernetes-1\.\d+\.\d+\/kubectl$/,
		);
		expect(paths["etcd"]).to.match(/\/lateen\/etcd-3\.\d+\.\d+\/etcd$/);
		expect(JSON.parse(await ensure())).to.deep.equal(paths);
		expect(await built()).to.deep.equal([
			"go.etcd.io/etcd/server/v3",
			"k8s.io/kubernetes/cmd/kube-apiserver",
			"k8s.io/kubernetes/cmd/kubectl",
		]);
	});

	it("builds once when two runs ask at the same time", async () => {
		const [one, other] = await Promise.all([ensure(), ensure()]);
		expect(one).to.equal(other);
		expect(await built()).to.have.lengthOf(3);
	});

	it("goes on where a run was interrupted", async () => {
		const paths = JSON.parse(await ensure()) as Record<string, string>;
		await run("rm", [paths["kubectl"] ?? ""]);
		// What a run that was killed left behind.
		folder.write("cache/lateen/kubernetes.lock", "999999999");
		await ensure();
		expect((await built()).slice(3)).to.deep.equal([
			"k8s.io/kubernetes/cmd/kubectl",
		]);
	});

	it("says that Go is missing and how to get it", async () => {
		const answer = await ensure({ PATH: folder.at("empty") });
		expect(answer).to.match(/^MissingPrerequisite: Go is missing/);
		expect(answer).to.match(/Install Go 1\.\d+ or newer/);
	});

	it("says that Go is too old", async () => {
		await writeProgram("bin/go", '#!/bin/sh\necho "go version go1.19.8 x/y"\n');
		expect(await ensure()).to.contain(
			"Go is too old: this machine has 1.19. Install Go",
		);
	});

	it("repeats what go said when it cannot build, and leaves nothing", async () => {
		await writeProgram(
			"bin/go",
			'#!/bin/sh\n[ "$1" = version ] && echo go1.30.0 && exit\necho "no space left on device" >&2\nexit 1\n',
		);
		expect(await ensure()).to.contain('exit code 1 and said "no space left');
		const { stdout } = await run("find", [folder.at("cache"), "-type", "f"]);
		expect(stdout).to.equal("");
	});

	it("uses a folder that is named, and says what is not in it", async () => {
		await writeProgram("own/etcd", "#!/bin/sh\n");
		const answer = await ensure({ LATEEN_KUBERNETES: folder.at("own") });
		expect(answer).to.contain("has no kube-apiserver, kubectl that can be run");
		await writeProgram("own/kube-apiserver", "#!/bin/sh\n");
		await writeProgram("own/kubectl", "#!/bin/sh\n");
		const paths = await ensure({ LATEEN_KUBERNETES: folder.at("own") });
		expect(JSON.parse(paths)).to.include({ etcd: folder.at("own/etcd") });
		expect(await built()).to.deep.equal([]);
	});
});
