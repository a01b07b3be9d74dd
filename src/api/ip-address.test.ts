import { expect } from "chai";
import { addressBits, isSubnet } from "./ip-address.ts";

describe("addressBits", () => {
	const cases = [
		{ text: "10.1.2.3", want: 32 },
		{ text: "0.0.0.0", want: 32 },
		{ text: "256.1.1.1", want: undefined },
		{ text: "1.2.3", want: undefined },
		{ text: "01.2.3.4", want: undefined },
		{ text: "::", want: 128 },
		{ text: "::1", want: 128 },
		{ text: "fe80::1", want: 128 },
		{ text: "1:2:3:4:5:6:7:8", want: 128 },
		{ text: "::ffff:10.1.2.3", want: 128 },
		{ text: "1:2:3:4:5:6:7", want: undefined },
		{ text: "1:2:3:4:5:6:7:8:9", want: undefined },
		{ text: "1::2::3", want: undefined },
		{ text: "::ffff:10.1.2", want: undefined },
		{ text: "10.1.2.3::", want: undefined },
		{ text: "fe80::1%eth0", want: undefined },
		{ text: "12345::", want: undefined },
		{ text: ":1", want: undefined },
		{ text: "", want: undefined },
		{ text: "localhost", want: undefined },
	] as const;
	for (const { text, want } of cases) {
		it(`says ${want ?? "no address"} of ${JSON.stringify(text)}`, () => {
			expect(addressBits(text)).to.equal(want);
		});
	}
});

describe("isSubnet", () => {
	const cases = [
		{ text: "10.0.0.0/8", want: true },
		{ text: "10.1.2.3", want: true },
		{ text: "0.0.0.0/0", want: true },
		{ text: "fd00::/8", want: true },
		{ text: "::/128", want: true },
		{ text: "10.0.0.0/33", want: false },
		{ text: "fd00::/129", want: false },
		{ text: "10.0.0.0/", want: false },
		{ text: "10.0.0.0/08", want: false },
		{ text: "10.0.0.0/8/8", want: false },
		{ text: "10.0.0/8", want: false },
	] as const;
	for (const { text, want } of cases) {
		it(`says ${want} of ${text}`, () => {
			expect(isSubnet(text)).to.equal(want);
		});
	}
});
