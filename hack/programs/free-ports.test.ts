import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect } from "chai";
import { freePorts } from "./free-ports.ts";

describe("freePorts", () => {
	it("gives different ports on which one can listen", async () => {
		const ports = await freePorts(20);
		expect(new Set(ports)).to.have.length(20);
		for (const port of ports) {
			const server = createServer().listen(port, "127.0.0.1");
			await once(server, "listening");
			server.close();
		}
	});

	it("passes over a preferred port that another program has", async () => {
		const other = createServer().listen(0, "127.0.0.1");
		await once(other, "listening");
		const { port } = other.address() as AddressInfo;
		const [found] = await freePorts(1, [port]);
		expect(found).to.be.a("number").and.not.equal(port);
		other.close();
		await once(other, "close");
		expect(await freePorts(1, [port])).to.deep.equal([port]);
	});
});
