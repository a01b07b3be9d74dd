import { expect } from "chai";
import { parse, parseAllDocuments } from "yaml";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";
import { runLateen } from "./run-lateen.ts";

const service = `# Ours.
apiVersion: v1
kind: Service
metadata: {name: web} # keep this
spec: {ports: [{port: 80}]}
`;

function pod(name: string, annotations = "{}", spec = ""): string {
	return `apiVersion: v1
kind: Pod
metadata: {name: ${name}, annotations: ${annotations}}
spec: {containers: [{name: web, image: web}]${spec}}
`;
}

describe("lateen inject", () => {
	it("injects pods and leaves everything else as it is written", async () => {
		const input = `---\n${service}---\n${pod("web")}`;
		const { code, out, err } = await runLateen(["inject", "-f", "-"], {
			input,
		});
		expect(code, err).to.equal(0);
		expect(out.startsWith(`${service}---\n`)).to.equal(true);
		const [, injected] = parseAllDocuments(out).map((one) => one.toJS());
		expect(
			injected.spec.initContainers.map((one: { name: string }) => one.name),
		).to.deep.equal(["lateen-capture", "lateen-proxy"]);
	});

	it("changes nothing of what it has made", async () => {
		const first = await runLateen(["inject", "-f", "-"], { input: pod("web") });
		const second = await runLateen(["inject", "-f", "-"], { input: first.out });
		expect(second.out).to.equal(first.out);
	});

	it("reads folders and several files, and prints one List as JSON", async () => {
		using folder = new TemporaryFolder();
		folder.write("a/web.yaml", pod("web"));
		folder.write("a/deep/b.json", JSON.stringify(parse(pod("b"))));
		folder.write("c.yaml", service);
		const { out } = await runLateen([
			...["inject", "-f", folder.at("a"), "-f", folder.at("c.yaml")],
			...["-o", "json"],
		]);
		const { kind, items } = JSON.parse(out);
		expect(kind).to.equal("List");
		expect(
			items
				.map((one: { metadata: { name: string } }) => one.metadata.name)
				.sort(),
		).to.deep.equal(["b", "web", "web"]);
	});

	it("says which pods stay as they are, and why", async () => {
		const { code, err } = await runLateen(["inject", "-f", "-"], {
			input: pod("host", "{}", ", hostNetwork: true"),
		});
		expect(code).to.equal(0);
		expect(err).to.match(/^Pod default\/host: not injected: .*node.*\.\n/);
	});

	it("prints nothing but what is wrong when an annotation cannot be understood", async () => {
		const { code, out, err } = await runLateen(["inject", "-f", "-"], {
			input: `${pod("good")}---\n${pod("bad", '{lateen.dev/stop-delay: "5"}')}`,
		});
		expect([code, out]).to.deep.equal([1, ""]);
		expect(err)
			.to.include("Pod default/bad: metadata.annotations")
			.and.include("10s");
	});

	it("says where a document is broken", async () => {
		const { code, out, err } = await runLateen(["inject", "-f", "-"], {
			input: `${service}---\na: [\n`,
		});
		expect([code, out]).to.deep.equal([1, ""]);
		expect(err).to.match(/^<stdin>:\d+:\d+: /);
	});

	it("goes by the Mesh among the files, and says what is wrong with it", async () => {
		const mesh = (injection: string): string =>
			`${pod("web")}---\napiVersion: lateen.dev/v1alpha1\nkind: Mesh\nmetadata: {name: default}\nspec: {injection: ${injection}}\n`;
		const good = await runLateen(["inject", "-f", "-"], {
			input: mesh("{proxyImage: mine}"),
		});
		expect(good.out).to.include("image: mine");
		const bad = await runLateen(["inject", "-f", "-"], {
			input: mesh("{concurrency: 0}"),
		});
		expect(bad.code).to.equal(1);
		expect(bad.err).to.include("spec.injection.concurrency");
	});

	it("makes a classic sidecar for an older Kubernetes", async () => {
		const words = ["inject", "-f", "-", "--kubernetes-version", "v1.28.3"];
		const { out } = await runLateen(words, { input: pod("web") });
		expect(parse(out).spec.containers[0].name).to.equal("lateen-proxy");
		const bad = await runLateen([...words, "--kubernetes-version", "new"]);
		expect(bad.code).to.equal(2);
	});

	it("asks for files", async () => {
		expect((await runLateen(["inject"])).code).to.equal(2);
	});
});
