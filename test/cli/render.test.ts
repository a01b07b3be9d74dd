import { expect } from "chai";
import { parse } from "yaml";
import { reviews, rule } from "./manifests.ts";
import { runLateen } from "./run-lateen.ts";

const input = `${reviews}---\n${rule("slow", "{destination: {name: reviews}, timeout: 7s}")}`;
const words = ["render", "-", "--proxy", "default/client"];

describe("lateen render", () => {
	it("prints what the proxy would get, by type, as Envoy names it", async () => {
		const { code, out } = await runLateen(words, { input });
		expect(code).to.equal(0);
		const rendered = JSON.parse(out);
		expect(rendered).to.have.keys(
			"listeners",
			"routes",
			"virtualhosts",
			"clusters",
			"endpoints",
		);
		expect(JSON.stringify(rendered.virtualhosts)).to.include('"timeout":"7s"');
		expect(rendered.listeners[0]).to.have.nested.property(
			"address.socket_address.port_value",
			15001,
		);
		expect(JSON.stringify(rendered.endpoints)).to.include("10.1.0.1");
	});

	it("prints only the types that are asked for, also as YAML", async () => {
		const { out } = await runLateen(
			[...words, "--type", "clusters", "--type=endpoints", "-o", "yaml"],
			{ input },
		);
		expect(parse(out)).to.have.all.keys("clusters", "endpoints");
	});

	it("lists resources with the objects they come from", async () => {
		const { out } = await runLateen([...words, "-o", "table"], { input });
		expect(out).to.match(/^TYPE +NAME +VERSION +BYTES +FROM$/m);
		expect(out).to.match(/^virtualhosts .*RouteRule default\/slow/m);
	});

	it("puts routes and endpoints into a static bootstrap", async () => {
		const { code, out } = await runLateen([...words, "--as-bootstrap"], {
			input,
		});
		expect(code).to.equal(0);
		expect(out).not.to.include('"rds"');
		expect(out).not.to.include('"ads"');
		expect(out).to.include('"timeout": "7s"');
		expect(JSON.parse(out)).to.have.property("static_resources");
	});

	it("leaves out what is refused, says so, and exits 1", async () => {
		const { code, out, err } = await runLateen(words, {
			input: `${reviews}---\n${rule("bad", "{destination: {name: reviews}, timeout: '5'}")}`,
		});
		expect(code).to.equal(1);
		expect(err).to.include("spec.timeout");
		expect(JSON.parse(out).clusters).not.to.deep.equal([]);
	});

	const usage = [
		{
			name: "no proxy is named",
			words: ["render", "-"],
			says: "--proxy or a gateway",
		},
		{
			name: "a name has no namespace",
			words: ["render", "-", "--proxy", "client"],
			says: "NAMESPACE/NAME",
		},
		{
			name: "a gateway listens nowhere",
			words: ["render", "-", "--gateway", "ingress"],
			says: "--listen 127.0.0.1:8080",
		},
		{
			name: "a type does not exist",
			words: [...words, "--type", "cluster"],
			says: "did you mean clusters?",
		},
	];
	for (const { name, words: given, says } of usage)
		it(`exits 2 when ${name}`, async () => {
			const { code, err } = await runLateen(given, { input });
			expect(code).to.equal(2);
			expect(err).to.include(says);
		});
});
