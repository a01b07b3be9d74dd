import {
	chmod,
	mkdtemp,
	readdir,
	readFile,
	rm,
	stat,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { parseObject } from "../../api/parse-object.ts";
import { silentLogger } from "../../observability/logger.ts";
import { contentOf } from "../../store/content-of.ts";
import type { LastGood } from "../../store/last-good.ts";
import { lastGoodFiles } from "./last-good-files.ts";

function rule(name: string, body: string) {
	const parsed = parseObject({
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name, namespace: "default", generation: 7, labels: { a: "b" } },
		spec: { destination: { name: "echo" }, respond: { status: 200, body } },
	});
	if (parsed.kind !== "object") throw new Error(JSON.stringify(parsed));
	return parsed.object;
}

function entry(name: string): LastGood {
	return {
		ref: { kind: "RouteRule", namespace: "default", name },
		valid: rule(name, "new"),
		proven: rule(name, "old"),
		refusals: [
			{
				content: "x",
				software: "envoy 1.40.0",
				proxy: "default/caller",
				message: "no\n“so”",
				isConfirmed: true,
			},
		],
		accepted: [{ content: "x", software: "envoy 1.41.0" }],
	};
}

describe("lastGoodFiles", () => {
	let root: string;
	let folder: string;

	beforeEach(async () => {
		root = await mkdtemp(join(tmpdir(), "lateen-last-good-"));
		folder = join(root, "last-good");
	});

	afterEach(async () => {
		await chmod(root, 0o700);
		await rm(root, { recursive: true, force: true });
	});

	it("reads nothing where there is no folder yet", async () => {
		expect(await lastGoodFiles(folder, silentLogger).read()).to.deep.equal([]);
	});

	it("reads what it wrote, with the same content and without a generation", async () => {
		const store = lastGoodFiles(folder, silentLogger);
		const name = `${"long-".repeat(40)}name`;
		await store.write(entry("a"));
		await store.write(entry(name));
		const read = await lastGoodFiles(folder, silentLogger).read();
		expect(read.map(({ ref }) => ref.name)).to.have.members(["a", name]);
		const a = read.find(({ ref }) => ref.name === "a");
		expect(a?.refusals).to.deep.equal(entry("a").refusals);
		expect(a?.accepted).to.deep.equal(entry("a").accepted);
		expect(a?.valid && contentOf(a.valid)).to.equal(
			contentOf(rule("a", "new")),
		);
		expect(a?.proven && contentOf(a.proven)).to.equal(
			contentOf(rule("a", "old")),
		);
		expect(a?.valid?.metadata.generation).to.equal(0);
		expect(a?.valid?.metadata.labels).to.deep.equal({ a: "b" });
	});

	it("keeps everything for its owner only", async () => {
		await lastGoodFiles(folder, silentLogger).write(entry("a"));
		expect((await stat(folder)).mode & 0o777).to.equal(0o700);
		for (const name of await readdir(folder)) {
			expect((await stat(join(folder, name))).mode & 0o777).to.equal(0o600);
		}
	});

	it("leaves out a file that is cut off, foreign or no longer valid, and uses the others", async () => {
		const store = lastGoodFiles(folder, silentLogger);
		await store.write(entry("a"));
		await store.write(entry("b"));
		await store.write(entry("c"));
		const files = await readdir(folder);
		const texts = await Promise.all(
			files.map((name) => readFile(join(folder, name), "utf8")),
		);
		const at = (name: string) =>
			join(
				folder,
				files[texts.findIndex((text) => text.includes(`"name":"${name}"`))] ??
					"",
			);
		await writeFile(at("a"), texts[0]?.slice(0, 40) ?? "");
		const b = await readFile(at("b"), "utf8");
		await writeFile(at("b"), b.replaceAll('"status":200', '"status":"odd"'));
		await writeFile(join(folder, "notes.txt"), "mine");
		await writeFile(join(folder, "other.json"), "[]");
		const read = await store.read();
		expect(read.map(({ ref }) => ref.name)).to.have.members(["b", "c"]);
		expect(read.find(({ ref }) => ref.name === "b")?.valid).to.equal(undefined);
	});

	it("removes an object, also one that it does not have", async () => {
		const store = lastGoodFiles(folder, silentLogger);
		await store.write(entry("a"));
		await store.remove(entry("a").ref);
		await store.remove(entry("b").ref);
		expect(await store.read()).to.deep.equal([]);
	});

	it("leaves what was kept before when it cannot write", async () => {
		const store = lastGoodFiles(folder, silentLogger);
		await store.write(entry("a"));
		// Not even the system's administrator can write into what is no folder.
		const broken = lastGoodFiles(
			join(folder, (await readdir(folder))[0] ?? ""),
			silentLogger,
		);
		let failure: unknown;
		await broken.write(entry("a")).catch((error: unknown) => {
			failure = error;
		});
		expect(failure).to.be.instanceOf(Error);
		expect(await store.read()).to.have.length(1);
	});
});
