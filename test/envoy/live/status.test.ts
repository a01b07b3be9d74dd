import { createSecretKey } from "node:crypto";
import { expect } from "chai";
import { runCli } from "../../../src/cli/run-cli.ts";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";

/** Answers with this word, without asking the application. */
function saying(word: string): string {
	return ruleYaml("word", {
		destination: { name: "echo" },
		respond: { status: 200, body: word },
	});
}

describe("the status of objects, with real Envoys", function () {
	this.timeout(60_000);
	let mesh: LiveMesh;
	let callers: readonly Caller[];

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		await mesh.application({ name: "echo-v1", service: "echo" });
		mesh.write("word.yaml", saying("first"));
		callers = await Promise.all([
			mesh.caller("default/one"),
			mesh.caller("default/two"),
		]);
	});

	after(() => mesh[Symbol.asyncDispose]());

	/** Runs a command in this process, so that nothing passes between its answer and the next step. */
	async function lateen(...words: readonly string[]) {
		const ran = { code: -1, out: "", err: "" };
		ran.code = await runCli(
			[...words, "--state-dir", mesh.stateDir],
			{
				out: (text) => {
					ran.out += text;
				},
				err: (text) => {
					ran.err += text;
				},
				readInput: async () => new Uint8Array(),
				readLine: async () => "",
				outColours: false,
				errColours: false,
				inputIsTerminal: false,
				isPlugin: false,
				environment: { HOME: "/nonexistent" },
			},
			{
				serve: async () => undefined,
				readTokenKey: async () => createSecretKey(new Uint8Array(32)),
			},
		);
		return ran;
	}

	it("says that a change is live only when every Envoy does what it says", async () => {
		const first = await lateen("wait", "rr/word", "--for=Ready");
		expect(first.code, first.err).to.equal(0);
		for (let generation = 2; generation < 12; generation++) {
			const word = `word-${generation}`;
			mesh.write("word.yaml", saying(word));
			const { code, out, err } = await lateen(
				...["wait", "rr/word", `--generation=${generation}`],
			);
			expect(code, err).to.equal(0);
			expect(out).to.include("2 of 2 proxies");
			const answers = await Promise.all(
				callers.map(({ ask }) => ask("http://echo/")),
			);
			expect(answers.map(({ body }) => body)).to.deep.equal([word, word]);
		}
	});

	it("says that an old form is live, and which, while the newest is refused", async () => {
		mesh.write("word.yaml", saying("good"));
		await lateen("wait", "rr/word", "--generation=12");
		mesh.write("word.yaml", saying("bad").replace("200", "2000"));
		const refused = await lateen("wait", "rr/word", "--generation=13");
		expect(refused.code).to.equal(4);
		expect(refused.err).to.include(
			"Generation 12 of the object stays in force",
		);
		const [answer] = await Promise.all(
			callers.map(({ ask }) => ask("http://echo/")),
		);
		expect(answer?.body).to.equal("good");
		const { out } = await lateen("get", "rr", "word");
		expect(out).to.match(/word +echo +False +2\/2 +Invalid/);
	});
});
