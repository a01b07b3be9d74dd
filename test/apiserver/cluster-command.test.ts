import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { eventually } from "../testkit/eventually.ts";
import { sharedCluster } from "../testkit/kube-cluster.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, "../../hack/cluster.ts");

/** What a run printed and how it ended. */
interface Ended {
	readonly code: number;
	readonly output: string;
}

describe("npm run cluster", () => {
	let folder: TemporaryFolder;
	before(async () => {
		// So that no test waits for a build.
		await sharedCluster();
	});
	beforeEach(() => {
		folder = new TemporaryFolder();
	});
	afterEach(async () => {
		await cluster("down");
		folder[Symbol.dispose]();
	});

	const dir = () => folder.at("cluster");
	async function cluster(...args: readonly string[]): Promise<Ended> {
		return await run(process.execPath, [PROGRAM, ...args, "--dir", dir()]).then(
			({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
			(error: { code: number; stdout: string; stderr: string }) => ({
				code: error.code,
				output: error.stdout + error.stderr,
			}),
		);
	}

	/** Starts one in the foreground and waits until it is up. */
	async function hold(): Promise<ChildProcess> {
		const child = spawn(process.execPath, [PROGRAM, "up", "--dir", dir()], {
			stdio: "ignore",
		});
		await eventually(async () => {
			expect((await cluster("status")).code).to.equal(0);
		}, 60_000);
		return child;
	}

	/** The processes that have the folder in their command line. */
	async function processes(): Promise<readonly string[]> {
		const { stdout } = await run("ps", ["-eo", "args"]);
		return stdout.split("\n").filter((line) => line.includes(dir()));
	}

	it("leaves a cluster behind, tells where it is, and ends it", async () => {
		const up = await cluster("up", "--detach");
		expect(up, up.output).to.deep.include({ code: 0 });
		expect(up.output).to.match(/Kubernetes answers at https:/);

		const again = await cluster("up");
		expect(again.code).to.equal(1);
		expect(again.output).to.contain("A cluster runs in");

		const kubeconfig = (await cluster("kubeconfig")).output.trim();
		const { kubectl } = await sharedCluster();
		const { stdout } = await run(kubectl, [
			...["--kubeconfig", kubeconfig, "--cache-dir", folder.at("cache")],
			...["get", "namespaces", "-o", "name"],
		]);
		expect(stdout).to.contain("namespace/kube-system");

		expect((await cluster("down")).code).to.equal(0);
		expect(await processes()).to.deep.equal([]);
		expect((await cluster("status")).code).to.equal(1);
		expect((await cluster("kubeconfig")).code).to.equal(1);
	});

	it("has ended everything when Ctrl-C ends it", async () => {
		const child = await hold();
		expect(await processes()).to.have.length.above(2);
		child.kill("SIGINT");
		expect(await once(child, "exit")).to.deep.equal([0, null]);
		expect(await processes()).to.deep.equal([]);
	});

	it("leaves nothing running when it is killed", async () => {
		const child = await hold();
		child.kill("SIGKILL");
		await once(child, "exit");
		await eventually(async () => {
			expect(await processes()).to.deep.equal([]);
		}, 20_000);
		expect((await cluster("status")).code).to.equal(1);
	});

	it("keeps away from a folder that is not its own", async () => {
		folder.write("cluster/thesis.txt", "years of work");
		const up = await cluster("up");
		expect(up.code).to.equal(1);
		expect(up.output).to.contain("is not empty");
	});

	it("says how it is used", async () => {
		const { code, output } = await cluster("sideways");
		expect(code).to.equal(1);
		expect(output).to.contain(
			"up [--node] [--detach], load FILE, down, status or kubeconfig",
		);
	});
});
