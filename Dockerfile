FROM python:3.11-slim

WORKDIR /srv/tokenledger
COPY pyproject.toml README.md ./
COPY domain domain
COPY ledger ledger
COPY projections projections
COPY api api
COPY consumers consumers
RUN pip install --no-cache-dir . && useradd --system --no-create-home tokenledger

USER tokenledger
ENV TOKENLEDGER_HTTP_HOST=0.0.0.0
EXPOSE 8000
ENTRYPOINT ["tokenledger"]
CMD ["serve"]
