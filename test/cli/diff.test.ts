import { expect } from "chai";
import { reviews, rule } from "./manifests.ts";
import { runLateen } from "./run-lateen.ts";
import { withFolder } from "./temporary-folder.ts";

const pod = (name: string) => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: default, labels: {app: ${name}}}
spec: {containers: [{name: app}]}
`;
const base = [reviews, pod("one"), pod("two")].join("---\n");
const slow = rule("slow", "{destination: {name: reviews}, timeout: 7s}");
const files = {
	"base.yaml": base,
	"slow.yaml": slow,
	"more.yaml": `${base}---\n${slow}`,
	"bad.yaml": `${base}---\n${rule("bad", "{destination: {name: reviews}, timeout: '7'}")}`,
	"sticky.yaml": `${base}---\n${rule("sticky", "{destination: {name: reviews}, affinity: {header: x-user}}")}`,
};

const diff = (...words: readonly string[]) =>
	withFolder(files, (cwd) => runLateen(["diff", ...words], { cwd }));

describe("lateen diff", () => {
	it("exits 0 and says so when nothing differs", async () => {
		const { code, out } = await diff("base.yaml", "--from", "base.yaml");
		expect(code).to.equal(0);
		expect(out).to.equal("2 proxies: no change\n");
	});

	it("shows a line for each proxy, each change once, and exits 1", async () => {
		const { code, out } = await diff("more.yaml", "--from", "base.yaml");
		expect(code).to.equal(1);
		expect(out).to.include(
			"default/one: 1 virtual host changed\ndefault/two: 1 virtual host changed\n",
		);
		expect(out.match(/^@@/gm)).to.have.length(1);
		expect(out).to.match(
			/^# for default\/one, default\/two; from .*RouteRule default\/slow$/m,
		);
		expect(out).to.match(/^\+.*timeout: 7s$/m);
	});

	it("lays single files over the others with --partial", async () => {
		const { out } = await diff(
			...["slow.yaml", "--partial", "--from", "base.yaml", "--summary"],
		);
		expect(out).to.equal(
			"default/one: 1 virtual host changed\ndefault/two: 1 virtual host changed\n",
		);
		const whole = await diff("slow.yaml", "--from", "base.yaml", "--summary");
		expect(whole.out).to.include("1 virtual host removed, 1 cluster removed");
	});

	it("counts what is added and removed by type", async () => {
		const forth = await diff("sticky.yaml", "--from", "base.yaml", "--summary");
		expect(forth.code).to.equal(1);
		expect(forth.out).to.include("1 cluster added, 1 endpoint list added");
		const back = await diff("base.yaml", "--from", "sticky.yaml", "--summary");
		expect(back.out).to.include("1 cluster removed, 1 endpoint list removed");
	});

	it("has all of it for programs", async () => {
		const { out } = await diff(
			...["more.yaml", "--from", "base.yaml", "-o", "json"],
			...["--proxy", "default/one"],
		);
		const { different, proxies } = JSON.parse(out);
		expect(different).to.equal(true);
		expect(proxies).to.have.length(1);
		expect(proxies[0].changes[0]).to.include({
			type: "virtualhosts",
			change: "changed",
		});
		expect(proxies[0].changes[0].objects).to.include("RouteRule default/slow");
		expect(proxies[0].changes[0].after.routes[0]).to.have.nested.property(
			"route.timeout",
			"7s",
		);
	});

	it("reports what is refused and exits with more than 1", async () => {
		const { code, err } = await diff("bad.yaml", "--from", "base.yaml");
		expect(code).to.equal(4);
		expect(err).to.include("spec.timeout");
		expect(err).to.include("left out");
	});

	it("exits with more than 1 when a file is not there or no server runs", async () => {
		const missing = await diff("nothing.yaml", "--from", "base.yaml");
		expect(missing.code).to.equal(2);
		const alone = await diff("base.yaml", "--state-dir", "none");
		expect(alone.code).to.equal(3);
		expect(alone.err).to.include("lateen serve");
		const partial = await diff("base.yaml", "--partial");
		expect(partial.code).to.equal(2);
	});
});
