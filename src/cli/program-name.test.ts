import { expect } from "chai";
import { listCommands } from "./command-list.ts";
import { asPlugin } from "./program-name.ts";

describe("asPlugin", () => {
	const cases = [
		{
			name: "names commands as they are typed then",
			text: "`lateen get rr` lists them; or lateen proxies -A.",
			want: "`kubectl lateen get rr` lists them; or kubectl lateen proxies -A.",
		},
		{
			name: "leaves alone what is no command line",
			text: "The pod of lateen gets a lateen-system; Lateen serves.",
			want: "The pod of lateen gets a lateen-system; Lateen serves.",
		},
		{
			name: "changes nothing twice",
			text: "kubectl lateen get rr",
			want: "kubectl lateen get rr",
		},
	];
	it("knows every command", () => {
		const unused = () => Promise.reject(new Error("not here"));
		for (const { name } of listCommands({
			serve: unused,
			readTokenKey: unused,
		}))
			expect(asPlugin(`lateen ${name}`)).to.equal(`kubectl lateen ${name}`);
	});

	for (const { name, text, want } of cases)
		it(name, () => expect(asPlugin(text)).to.equal(want));
});
