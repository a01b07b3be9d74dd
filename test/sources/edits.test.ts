import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import type { Objects } from "../../src/api/objects.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { createDirectorySource } from "../../src/sources/directory.ts";
import { readDirectory } from "../../src/sources/read-directory.ts";
import { eventually } from "../testkit/eventually.ts";
import { runSource } from "../testkit/running-source.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const files = [
	"conf/a.yaml",
	"conf/b.yaml",
	"conf/s/c.yaml",
	"conf/s/t/d.yaml",
];
const folders = ["conf/s", "conf/s/t", "conf/m"];

function manifestOf(name: string, precedence: number): string {
	return `---
apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: ${name}, namespace: default}
spec: {destination: {name: r}, precedence: ${precedence}}
`;
}

const content = fc
	.array(
		fc.record({
			name: fc.constantFrom("x", "y", "z"),
			precedence: fc.integer({ min: 0, max: 3 }),
		}),
		{ maxLength: 3 },
	)
	.map((rules) =>
		rules.map(({ name, precedence }) => manifestOf(name, precedence)).join(""),
	);

const file = fc.constantFrom(...files);

const edit = fc.oneof(
	fc.record({ op: fc.constant("write" as const), file, content }),
	fc.record({ op: fc.constant("replace" as const), file, content }),
	fc.record({ op: fc.constant("break" as const), file }),
	fc.record({ op: fc.constant("refuse" as const), file }),
	fc.record({ op: fc.constant("remove" as const), file }),
	fc.record({ op: fc.constant("move" as const), file, to: file }),
	fc.record({
		op: fc.constant("move" as const),
		file: fc.constantFrom(...folders),
		to: fc.constantFrom(...folders),
	}),
	fc.record({
		op: fc.constant("remove" as const),
		file: fc.constantFrom(...folders),
	}),
	fc.record({ op: fc.constant("rest" as const) }),
	fc.record({ op: fc.constant("rest" as const) }),
);

type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function makeEdit(folder: TemporaryFolder, step: Edit): void {
	switch (step.op) {
		case "write":
			folder.write(step.file, step.content);
			return;
		case "replace":
			folder.replace(step.file, step.content);
			return;
		case "break":
			folder.write(step.file, "kind: [RouteRule\n");
			return;
		case "refuse":
			folder.write(
				step.file,
				"apiVersion: lateen.dev/v1alpha1\nkind: RouteRule\nmetadata: {name: x, namespace: default}\nspec: {precedence: high}\n",
			);
			return;
		case "remove":
			rmSync(folder.at(step.file), { recursive: true, force: true });
			return;
		case "move": {
			const { file, to } = step;
			if (!existsSync(folder.at(file)) || to.startsWith(file)) return;
			if (existsSync(folder.at(to)) && folders.includes(to)) return;
			mkdirSync(folder.at(to, ".."), { recursive: true });
			renameSync(folder.at(file), folder.at(to));
			return;
		}
		case "rest":
			return;
	}
}

/** Replaces what cannot be read or is refused by an object that is neither. */
function mendAll(folder: TemporaryFolder): void {
	const entries = readdirSync(folder.at("conf"), {
		recursive: true,
		encoding: "utf8",
	});
	for (const entry of entries) {
		const path = folder.at("conf", entry);
		if (!statSync(path).isFile()) continue;
		if (!/\[RouteRule|high/.test(readFileSync(path, "utf8"))) continue;
		writeFileSync(path, manifestOf("mended", 9));
	}
}

/** Only a source that was there can have counted, so generations are left out. */
function withoutGenerations(objects: Objects) {
	return [...objects.RouteRule.values()].map(({ metadata, spec }) => ({
		name: metadata.name,
		spec,
	}));
}

describe("directory source and any edits", () => {
	it("end in the objects that reading the folder afresh gives", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(edit, { minLength: 1, maxLength: 25 }),
				async (edits) => {
					using folder = new TemporaryFolder();
					mkdirSync(folder.at("conf"));
					await using running = runSource(
						createDirectorySource({
							name: "directory",
							root: folder.at("conf"),
							clock: systemClock,
							problems: () => undefined,
							report: () => undefined,
							// A scan this rare cannot be what makes the test pass.
							scanMs: 60_000,
							graceMs: 5,
						}),
					);
					let rests = 0;
					for (const step of edits) {
						makeEdit(folder, step);
						if (step.op !== "rest") continue;
						// Seen means that what came before was looked at too.
						rests++;
						folder.write("conf/rest.yaml", manifestOf("rest", rests));
						await eventually(() =>
							expect(
								running.store.objects.value.RouteRule.get("default/rest")?.spec
									.precedence,
							).to.equal(rests),
						);
					}
					// Last good forms are all that may differ, so nothing is left broken.
					mendAll(folder);
					await eventually(async () => {
						const fresh = await readDirectory([
							{ kind: "path", path: folder.at("conf") },
						]);
						expect(fresh.invalid).to.deep.equal([]);
						expect(
							withoutGenerations(running.store.objects.value),
						).to.have.deep.members(withoutGenerations(fresh.objects));
						expect(running.store.invalid.value.size).to.equal(0);
					}, 3_000);
				},
			),
			{ numRuns: 40 },
		);
	}).timeout(60_000);
});
